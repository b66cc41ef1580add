"""Journeys and bookings."""

from lines import lines

NAME = "travel"
NOUN = "booking"
SLOTS = {
    "person": "person", "origin": "city", "destination": "city", "date": "date", "return": "date", "time": "time",
    "hotel": "hotel", "nights": "small", "people": "small", "price": "money", "booking": "code", "email": "email",
    "phone": "phone", "travel_class": "travel_class",
}
KEYS = {
    "person": "name guest passenger traveler guest_name full_name",
    "origin": "origin from departure_city from_city departure",
    "destination": "destination to arrival_city to_city arrival",
    "date": "date departure_date check_in travel_date start_date",
    "return": "return_date check_out return end_date back_on",
    "time": "time departure_time leaves_at",
    "hotel": "hotel hotel_name accommodation",
    "nights": "nights number_of_nights stay_nights",
    "people": "people guests travelers persons party_size",
    "booking": "booking_number booking_id booking confirmation reservation",
    "price": "price cost fare total",
    "travel_class": "class travel_class cabin",
}
NESTED = {"route": ["origin", "destination"], "trip": ["origin", "destination", "date"],
          "guest": ["person", "email", "phone"], "stay": ["hotel", "nights"]}

SENTENCES = lines("""
(I want|I'd like|We want|I need) to (travel|go|fly) from {origin} to {destination} on {date}.
(Please book|Book|I need) (a train|a flight|a ticket|a bus) from {origin} to {destination}(| for {people} people).
(Flight|Train|Trip): {origin} to {destination}, {date}, {time}
{person} (travels|flies|goes) from {origin} to {destination}(| on {date}).
(We|I) (leave|start|depart) (from |){origin} on {date}(| at {time}).
From {origin} (on to|to) {destination}, (leaving|departing) at {time}.
(We|I) (fly|go|travel) to {destination}(| on {date}).
(The trip|The journey|It) goes to {destination}.
(Destination|To|Where to): {destination}
(I have to be|We want to be) in {destination} (on|by|before) {date}.
(My|Our) (destination|goal) is {destination}, (starting|coming) from {origin}.
(We arrive|I arrive|The bus arrives) in {destination} (in the evening|late|early).
(Origin|From|Start): {origin}
(We|I) (start|leave|depart) (in|from) {origin}(| at {time}).
(The train|The plane|The bus) (leaves|departs) {origin} at {time}.
(The start|The departure) is {origin}.
(My name is|I am|This is|I'm) {person}(| and we are {people} people).
(Passenger|Guest|Name|Traveller): {person}
(The booking|The reservation|The room) is (for|under the name) {person}.
{person} (booked|reserved|would like) {nights} nights (at|in) (the |){hotel}.
(Reserve|Book) (it|everything) (for|on) {person}, please.
(The guest|The passenger) (is|is called) {person}.
(A room|Two rooms|A double room) (at|in) (the |){hotel} for {nights} nights(|, {people} people).
(We|I) (stay|will stay|are staying) (at|in) (the |){hotel}(| for {nights} nights).
(Hotel|Accommodation|Stay): {hotel}
(The hotel is|The hotel is called|Our hotel is) (the |){hotel}.
(We|I) (chose|picked|like) (the |){hotel} (in|near) {destination}.
(Put us|Put me) (up |)(in|at) (the |){hotel}, please.
(We|I) need {nights} nights.
(Nights|Stay): {nights} nights
(It|The stay) is for {nights} nights(| and {people} people).
(We|They) (stay|remain) {nights} nights (in all|only|).
{nights} nights (will do|are enough|would be good).
(We are|There are|It's for) {people} (people|adults|persons).
(People|Guests|Persons): {people}
(A party|A group) of {people}.
(Room|Seats|Tickets) for {people} (people|persons), please.
{people} (people|of us) will (come|travel).
(We|I) (come back|return|are back) on {return}.
(Return|Back|Check-out): {return}
(The return|The way back) is on {return}.
(We|I) (check in|leave|arrive) on {date} and (check out|return|leave again) on {return}.
From {date} (to|until) {return}.
(Back|Home) again on {return}.
(Date|Departure|Check-in): {date}
(We|I) (leave|set off|depart|check in) on {date}.
(The date|The departure date) is {date}.
On {date}, (it starts|we go|the trip begins).
(Departure|Leaves|Time): {time}
(It|The train|The flight) (leaves|departs|goes) at {time}.
(Pick me up|Collect us) at {time}.
(We start|We go) at {time} (sharp|in the morning|).
(The ticket|It|The flight|The room) costs {price}(| per person).
(Price|Fare|Cost): {price}
(I|We) (paid|pay) {price} (for it|in all|).
(The price|The fare) is {price}.
(They ask|It was) {price} (for everything|in total).
(The booking number|The reservation|The confirmation) is {booking}.
(Booking|Booking number|Confirmation|Reservation): {booking}
(See|Check|It is about) booking {booking}.
(Your|My|Our) (booking|reservation) {booking} is (confirmed|complete).
(We have|I have) the booking {booking} already.
(Confirm|Please confirm|Send the tickets) to {email}.
(E-mail|Mail|Contact): {email}(|, {phone})
(Reach me|Write to me) at {email}.
(Tickets|Documents) go to {email}(|, phone {phone}).
(Call|Phone|Tel) {phone}(| if something changes).
(My|Our) (number|phone) is {phone}.
(In|We travel in|I take) {travel_class} class(|, please).
(Class|Seats): {travel_class}
(Book|Take) {travel_class} class (for us|for me|).
{travel_class_cap} class (is fine|would be best|, please).
""")

# Held out of training, like every seventh of the sentences above.
HELD_OUT = lines("""
Departing at {time}.
Be at the gate by {time}.
{people} travellers in total.
We would be {people} people.
My inbox: {email}.
The voucher should reach {email}.
We sit in {travel_class} class.
Please upgrade us to {travel_class} class.
""")
