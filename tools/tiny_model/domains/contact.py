"""Contacts and signatures."""

from lines import lines

NAME = "contact"
NOUN = "contact"
SLOTS = {
    "person": "person", "email": "email", "phone": "phone", "company": "company", "role": "role", "city": "city",
    "address": "address", "website": "website", "age": "age", "tags": "tags",
}
KEYS = {
    "person": "name full_name contact_name contact person",
    "website": "website url homepage web",
    "age": "age years_old",
    "tags": "tags interests skills keywords",
    "city": "city location town place lives_in",
}
NESTED = {
    "contact": ["person", "email", "phone"],
    "person": ["person", "age", "role", "city"],
    "work": ["company", "role", "city"],
    "company": ["company", "city", "website"],
}

SENTENCES = lines("""
(I met|We met|You should meet|Please add) {person}, (the |a |){role} (at|of|from) {company}.
{person} (works|is working|has worked) as (a |){role} (at|for|with) {company}(| in {city}).
{person} is (a|the|our new) {role}.
(Our new contact|The new contact) is {person}(| from {company}).
(Meet|This is) {person}, {age} years old, from {city}.
{person} ({age}) lives in {city}.
{person}, {role}, {company}
Name: {person}
(My name is|I am|I'm) {person}(| and I am {age} years old).
(Talk to|Ask|Write to) {person} (about|for) (it|the details).
(Here are|These are) the details of {person}.
(His|Her|Their) name is {person}.
(The person to ask|The right person) is {person}.
I (got|have) a (card|message) from {person}.
(The e-mail|Her e-mail|His e-mail|The address) is {email}.
E-mail: {email}
(Mail|Write) to {email}(| or call {phone}).
(You can reach|Reach) (him|her|them|me) (at|under) {email}.
{email}, {phone}
(mail|e-mail|contact) {email}
(The best address|The address to use) is {email}.
(The number|The phone number|Her number|His number|My number) is {phone}.
(Phone|Tel|Mobile|T): {phone}
(Call|Ring) {phone}(| during office hours).
(He|She) (answers|picks up) (on|under) {phone}.
(By phone|On the phone): {phone}
(Or use|Or) the telephone: {phone}.
{phone} is (the number|his mobile|her mobile|the office line).
(She|He) works (at|for) {company}(| as (a |){role}).
(Company|Employer|Firm): {company}
The company (is called|is|has the name) {company}(|, in {city}).
(He|She) (founded|runs|owns) {company}(| in {city}).
(I|We) work (at|for|with) {company}.
{company} (hired|employed) (her|him) (last year|in May|recently).
(He|She) (has|recently) (joined|left for) {company}.
(Role|Position|Job|Title): {role}
(She|He) is (now |)(a |the |our ){role}.
I work as (a |){role}.
(He|She) (became|was promoted to) {role} (last year|recently|this spring).
The job (is|title is) {role}.
(As|Being) (a |the ){role}, (she|he) travels (a lot|often).
(She|He) lives in {city}.
(City|Town|Based in|Location): {city}
(The office|Their office) is in {city}(|, {address}).
(He|She) (moved|went) to {city}.
(I|We) live in {city}.
(They|We) are (based|located) in {city}.
{address}, {city}
(Address|Office|Street): {address}
(The office|The shop|Our house) is at {address}.
(Visit|Find) us at {address}(| in {city}).
(Send|Post) letters to {address}.
The street is {address}.
(Website|Web|Homepage): {website}
(See|Visit|Look at) {website}(| for more).
(Their|Our|The) (website|homepage) is {website}.
(More|Details) (on|at) {website}.
On the web: {website}
(She|He) is {age} years old.
(Age|Years): {age}
I am {age}.
(He|She) (turned|turns) {age} (this year|in spring|last month).
At {age}, (she|he) is (the youngest|one of the oldest) in the team.
(Interests|Skills|Tags|Keywords): {tags}
(She|He) likes {tags}.
(He|She) is (interested|good) in {tags}.
(She|He) (works on|knows a lot about) {tags}.
My interests are {tags}.
""")

# Held out of training, like every seventh of the sentences above.
HELD_OUT = lines("""
You will find it all at {website}.
Her page is {website}.
""")
