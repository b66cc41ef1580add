"""Support messages."""

from lines import lines

NAME = "support"
NOUN = "support ticket"
SLOTS = {
    "person": "person", "email": "email", "phone": "phone", "company": "company", "order": "code",
    "product": "product", "issue": "issue", "urgency": "urgency", "feeling": "feeling", "date": "date",
    "city": "city", "tags": "tags", "agent": "person",
}
KEYS = {
    "order": "order_id order_number order ticket_id ticket reference",
    "agent": "agent assigned_to handled_by support_agent",
    "date": "date purchase_date bought_on",
}
NESTED = {"customer": ["person", "email", "phone", "company"], "contact": ["person", "email", "phone"]}

SENTENCES = lines("""
My name is {person} and I (work for|write on behalf of) {company}.
(I am|I'm|This is) {person} (from|at|of) {company}.
This is {person}(| here| writing| again).
(Hi|Hello), my name is {person}.
{person} here.
I'm {person}(|, a customer of yours), and I have a (problem|question).
(My name's|The name is) {person}, (and|by the way,) I live in {city}.
{issue_cap}.
(The problem|Our problem|The issue) is (simple|this): {issue}.
Since (yesterday|last week|this morning), {issue}.
I (noticed|see) that {issue}.
(Unfortunately|Sadly|Again), {issue}.
It (seems|looks like) {issue}.
I am writing because {issue}.
(For days now|Every time I try), {issue} and nothing helps.
Subject: {issue_cap}
(What happened|What is wrong): {issue}.
Since I bought the {product}, {issue}.
With my {product}, {issue}.
It is about (the|my|our) {product} (I bought|we ordered|from your shop) (in|from) {city}.
(It|This) is about (the|my|a) {product}(| from order {order}).
The {product} (arrived|came) on {date}, but {issue}.
(We|I) (bought|got) the {product} on {date}.
My order {order} (of|with) the {product} (has not arrived|is late|is still missing).
My order number is {order}.
(The order|It) has the number {order}.
(Regarding|About|Concerning) order {order}: {issue}.
Order {order}, bought on {date}.
(See|Please see|Please check) (order|ticket) {order}.
Ticket {order} (is still open|was closed too early|has no answer yet).
I (placed|made) order {order} on {date}.
(You can reach|Please reach|Contact) me at {email}(| or {phone}).
My e-mail is {email}(| and my phone number is {phone}).
(Please write|Write|Reply) to {email}.
(Answers|Replies) to {email}, please.
(Please call|Call) me (on|at|under) {phone}.
My (phone|telephone|mobile) number: {phone}.
I (can be reached|am available) (on|under) {phone} (all day|in the morning|after work).
Send (me |us |)(a message|an answer|the details) at {email}, or (call|ring) {phone}.
E-mail: {email}
(The|My) account (belongs to|is registered with) {email}.
(We|I) (work|are) (at|with) {company} (in {city}|and pay every month).
Our company is {company}(|, based in {city}).
The account (is|runs) under the name (of |){company}.
{urgency_cap}.
{urgency_cap}, (please|thanks).
(Just so you know|Please note|To be clear): {urgency}.
About the timing: {urgency}.
(And|Also,) {urgency}.
(As I said|I repeat), {urgency}!
{feeling_cap}.
(Honestly|Frankly|To be honest), {feeling}.
(Overall|All in all|In short), {feeling}.
I (must|have to) say {feeling}.
(So far|Until now), {feeling}.
I (tell|told) everybody that {feeling}.
{agent} from your team (answered|helped) me (last time|before).
Your colleague {agent} (is|was) (looking into it|handling the case).
The agent (was|is) {agent}.
(Please pass this on|Please forward it) to {agent}, who knows the case.
(Assigned|Assign it) to {agent}.
(Tags|Labels|Keywords): {tags}.
(Please file|File) (it|this) under {tags}.
It (has to do with|concerns) {tags}.
(Topics|Tagged): {tags}
Label it (with|as) {tags}.
""")

THINGS = {
    "technical": (["the app", "the login page", "your website", "the search", "the new version", "the sync",
                   "the screen", "the device", "the update", "the export", "the {noun}", "the battery"],
                  ["crashes (on start|every time|after a minute)", "does not (load|start|respond|turn on)",
                   "shows (an error|a blank page|error {n})", "freezes (all the time|when I save)",
                   "stopped working", "is (extremely |)slow", "keeps restarting", "is broken"]),
    "billing": (["my card", "my account", "our company", "my credit card"],
                ["was charged (twice|two times|{n} times|too much)", "was billed for the wrong (plan|month)",
                 "was charged after I cancelled", "got a wrong invoice"]),
    "billing ": (["the invoice", "the refund", "the payment", "the last bill", "the discount"],
                 ["is (wrong|missing|too high)", "has not been (paid|booked|applied)", "failed (twice|again|)",
                  "shows the wrong (amount|tax|total)", "never arrived"]),
    "shipping": (["my parcel", "the package", "the delivery", "the shipment", "our parcel", "my package"],
                 ["has not arrived (yet|)", "is (late|{n} days late|lost)", "was left in the rain",
                  "went to the wrong (address|city|house)", "arrived (damaged|broken|open|empty)",
                  "is stuck (in customs|at the depot)"]),
    "account": (["I", "we", "my colleague"],
                ["can't (log in|reset the password|change the password|delete the account)", "forgot the password",
                 "want to (close|delete|rename) the account", "need to change the (e-mail address|user name)",
                 "lost access to the account", "did not get the confirmation e-mail"]),
}

# Held out of training, like every seventh of the sentences above.
HELD_OUT = lines("""
The whole team at {company} (has|sees) the same problem.
{company} (pays|has paid) for the premium plan.
On {date} it (began|broke|went wrong).
Purchase date: {date}
Our office in {city} is closed until this is solved.
Greetings from {city}!
For your (filters|records): {tags}.
Mark this (message|case) {tags}.
""")
