"""Sentences that fit any domain that has their slots; for training only."""

from lines import lines

SENTENCES = lines("""
I am {person}, (writing|calling) (from|for) {company}.
{person} (wrote|called|asked|is writing|wants to know) (again|today|this morning).
(Yes|Well|So), (my name is|I am called) {person}.
(You know me|You may remember me|We met before): {person} from {city}.
{person} at {company}, {city}.
(Mr|Mrs|Ms|Dr) {person} (is|was) (here|in the office|on the phone).
Contact person: {person}, {email}, {phone}
(Full name|Name)| {person}
{person}, {email}
{person} <{email}>
{person} ({email})
{person} | {email} | {phone}
{person}, tel. {phone}
From: {person}
(Sent by|Message from|Written by) {person}
(We|I) (know|got to know) {person} (as|through) our contact at {company}.
Name {person}, (mail|e-mail) {email}, phone {phone}.
(reach|write) me: {email}
My (inbox|mailbox|work address) is {email}.
(An answer|A copy|Everything) (should go|goes|can go) to {email}(| instead of the old address).
(I read|I check) my mail at {email} (every day|often).
You (have|know) my (address|e-mail): {email}, (right|don't you)?
{email} (works best|is best for me|is the right address).
(Should|If) anything (happen|change|changes), (write to|use|mail) {email}.
(The best way|The easiest way) (is|would be) (an e-mail|a mail) to {email}.
email {email}
cc {email}
You can (ring|call|text|phone) (me|us) (on|at|under) {phone}.
(The phone|My phone|Our line) is {phone}.
{phone} (is my number|is where you find me|works in the evening).
(Text|Message) {phone} (if|when) you (are here|have news).
(If urgent|In case of doubt|In an emergency), (dial|call) {phone}.
Ask for me at {phone}.
phone {phone}
(Mobile|Cell|Office|Phone number): {phone}
(tel|ph) {phone}
(We at|Here at|All of us at) {company} (thank you|are waiting|would be glad).
(The firm|The business|The shop) is {company}.
{company} is (the company|where I work|our employer|a customer of yours).
(This message|This mail) comes from {company}(| in {city}).
(We are|I represent) {company}, (a small company|a shop|a firm) (in|from) {city}.
company {company}
Organisation: {company}
(As you know|Of course), {company} is (ours|in {city}|growing).
(I'm|We're) (in|near|from) {city}.
{city} is (where we live|where it is|our home|the place).
(Here in|Back in) {city}, (all is well|nothing is new|it is raining).
(Place|Location|Town|City) {city}
(in|at) {city}
Somewhere in {city}, (that is|I believe).
(The town|The city) of {city} (is|was) (chosen|the place).
(Date|On|Day) {date}
(It was|It is|It will be) (on |){date}.
(Look at|Think of|Remember) {date}(|, that is the day).
(The day|The right day) is {date}.
{date} (is|was) the (day|date).
(Scheduled|Planned|Set|Fixed) for {date}(|, {time}).
We (agreed|settled) on {date}(| at {time}).
It (is|was) {date}, {time}.
(Time|At) {time}
(Around|About|At) {time}, (I guess|please|more or less).
(The clock says|The hour is|The time is) {time}.
{time} (is fine|suits us|would be good|is the time).
(Not before|Exactly at|Just after) {time}.
The (final|whole|full) (sum|amount|price) (is|was) {total}.
{total} (in total|altogether|is the total|is what we owe).
(total|sum) {total}
So the total (is|would be|was) {total}.
Altogether {total}(|, right|, I think).
(price|cost) {price}
(It goes for|You get it for|It sells at|They want) {price}.
{price} (each|a piece|per unit|per person|is the price).
(The cost|Its price) (is|was|would be) {price}.
At a price of {price}.
(We agreed on|They quoted|You offered) {price}.
(number|no.|ref|reference) {order}
{order} (is the number|is our number|is the order).
(Look up|Find|Open) {order}(|, please).
(Order|Order no.|Order number) {order}(|.)
The order with the number {order}.
(tags|labels) {tags}
The (labels|tags|keywords) (are|should be) {tags}.
(Keywords here|My tags)? {tags}.
{tags} (are the tags|are the topics|would be the keywords).
(street|address) {address}
(Go|Come) to {address}(| in {city}).
{address} (is the address|is where it is).
(The house|The door) is at {address}, {city}.
(Find|Meet) (me|us) at {address}.
(product|item|article) {product}
It's (the|a|my) {product}.
A {product}, (that is|to be exact).
The {product} is (what we talk about|the thing|it).
(We talk|I speak) about the {product}.
One {product}, (bought|taken|seen) (here|there|online).
(website|url) {website}
{website} (is the website|is our page).
(Browse|Open) {website}.
role {role}
(By trade|By profession), {role}.
{role} (is my job|is the position|by profession).
{person} is {role} (at|of) {company}.
{person}, {role} at {company}, {email}
""")
