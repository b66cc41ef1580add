"""Events and invitations."""

from lines import lines

NAME = "event"
NOUN = "event"
SLOTS = {
    "title": "title", "date": "date", "time": "time", "city": "city", "venue": "venue", "host": "person",
    "speaker": "person", "guests": "guests", "price": "money", "email": "email", "phone": "phone", "tags": "tags",
    "online": "online", "company": "company", "address": "address",
}
KEYS = {
    "title": "title event event_name name event_title",
    "date": "date day event_date start_date when",
    "venue": "venue place location where room",
    "city": "city town in_city",
    "host": "host organizer organiser hosted_by contact",
    "speaker": "speaker guest_speaker talk_by presenter",
    "guests": "guests capacity seats attendees max_guests",
    "price": "price ticket_price cost fee entry_fee",
    "online": "online is_online remote virtual",
    "company": "company organizer_company sponsor hosted_by_company",
    "time": "time start_time starts_at begins",
}
NESTED = {
    "location": ["venue", "city", "address"],
    "place": ["city", "venue"],
    "contact": ["host", "email", "phone"],
    "schedule": ["date", "time"],
}

SENTENCES = lines("""
(You are|You're) invited to (the |our |){title} on {date} at {time}.
(Join us|Come|Please join us) for (the |){title} (on|this) {date}(| at {time}).
(The |Our |){title} (takes place|will be held|happens) on {date} (in|at) (the |){venue}, {city}.
(We|I) (invite you|would like to invite you) to (the |){title} in {city}.
(Save the date|Mark your calendar): {title}, {date}, {time}.
{title}: {date}, {time}, {venue}, {city}
The {title} is (coming|back|here again)!
(Welcome|We welcome you) to (the |){title}.
(This year|Soon|Once more) (we|they) (host|hold|organise) (the |){title}(| in {city}).
(Event|Title|What): {title}
(It|This) is called "{title}".
(Everybody|Everyone) (talks|is talking) about (the |){title}.
(Tickets|Seats) for (the |){title} (are|will be) (available|on sale) (now|soon).
{company} (presents|proudly presents|announces) (the |){title}.
(It|Everything|The programme) (starts|begins) at {time}(| on {date}).
(Date|When|Day): {date}
(Time|Start|Doors): {time}
(It takes place|It is|We meet) on {date}(| at {time}).
(We|They) (start|open|begin) at {time}.
(Be|Please be) there (at|by|before) {time}(|, please).
(The date is|We chose) {date}.
(Doors open|The doors open|Admission) at {time}.
On {date}, (we meet|it begins|all are welcome).
(Come|Please come) on {date}(|, {time}).
(The place|The venue|The location) is (the |){venue}(| in {city}).
(We meet|Meet us|Find us) (in|at) (the |){venue}.
(Where|Venue|Place): {venue}(|, {city})
(It|The whole thing) (happens|takes place) (in|at) (the |){venue}, {address}.
(The |){venue} (in|at) {city} is (our|the) (place|location).
(Get|Go) to (the |){venue} in {city} (by bus|by train|on foot).
(The |){venue} (is|will be) (open|ready|reserved) for (us|you).
(We|They) are in {city} (this time|again|this year).
(City|Town): {city}
(This time|This year), {city} is the (place|town) to be.
(Address|Street): {address}
(The address is|You find it at) {address}(| in {city}).
(Your host|The host|The organiser) is {host}.
(Organised|Organized|Hosted) by {host}(| of {company}).
{host} (hosts|organises|is hosting|runs) (it|the event|the evening).
(Contact|Ask) {host} (at|via) {email}.
(Host|Organiser|Organizer): {host}
(Questions|Any questions)? {host} (knows|will help|has answers).
(The speaker|Our speaker|The guest speaker) is {speaker}.
{speaker} (will speak|gives a talk|speaks) about {tags}.
{speaker} (will give|gives|holds) (a talk|the talk|the keynote).
(With|Featuring) {speaker} (on stage|as speaker).
(Speaker|Talk by|Keynote): {speaker}
(We will|You can) (listen to|hear) {speaker}.
There (is|are) (room|space|seats) for {guests} (people|guests).
(We expect|We are expecting) {guests} (people|guests|visitors).
(Capacity|Seats|Guests): {guests}
(At most|No more than|Up to) {guests} (people|guests) can (come|take part).
(Only|About) {guests} (seats|places) are (left|free|available).
{guests} guests (have|) (registered|signed up) (already|so far).
(Tickets|A ticket|Entry) (cost|costs|is|are) {price}.
(The price|The fee|Admission) is {price}(| per person).
(Price|Tickets|Entry): {price}
(You pay|Everyone pays|Each guest pays) {price}(| at the door).
(Buy|Get) your ticket for {price}.
(Sign up|Register|RSVP|Reply) (at|to|via) {email}.
(Questions|Details) to {email}(| or {phone}).
(E-mail|RSVP|Contact): {email}
(Call|Please call) {phone} (to register|for a seat|if you can't come).
(Phone|Tel|Info): {phone}
Let us know at {email} (or by phone: {phone}|if you come|soon).
Write to {email} if (you have questions|you want to come).
(Topics|Tags|Themes): {tags}
(It is|The evening is|This is) about {tags}.
(The topics|Our topics) are {tags}.
(Expect|There will be) {tags}.
We (talk|will talk) about {tags}.
{online_cap}.
(Please note|Note): {online}.
(Good to know|And): {online}.
""")

# Held out of training, like every seventh of the sentences above.
HELD_OUT = lines("""
Guests contribute {price} each.
{price} gets you in.
The info line is {phone}.
Ring us: {phone}.
With the kind support of {company}.
Walk to {address}, the door is open.
""")
