"""Orders."""

from lines import lines

NAME = "order"
NOUN = "order"
SLOTS = {
    "person": "person", "email": "email", "phone": "phone", "company": "company", "order": "code", "goods": "goods",
    "items": "items", "price": "money", "total": "money", "date": "date", "city": "city", "address": "address",
    "urgency": "urgency", "recipient": "person", "payment": "payment",
}
KEYS = {
    "person": "customer customer_name name client buyer full_name ordered_by",
    "date": "date delivery_date deliver_on due_date ship_date",
    "recipient": "recipient receiver deliver_to ship_to",
    "city": "city delivery_city town ship_city",
    "address": "address delivery_address street shipping_address",
    "payment": "payment payment_method pay_by",
}
NESTED = {
    "customer": ["person", "email", "phone", "company"],
    "shipping": ["address", "city", "date"],
    "delivery": ["city", "address", "date"],
}
EXCLUSIVE = [("goods", "items"), ("price", "items")]

SENTENCES = lines("""
(My name is|I am|I'm|This is) {person}(| from {company}).
(Customer|Name|Ordered by): {person}
(The order|This) is for {person} (of|at) {company}.
{person} (here|speaking), I'd like to (order|buy) (something|a few things).
{person} (ordered|bought|would like|wants) {goods}.
{person} from {city} (ordered|wants|takes) {items}.
Please book it (on|under) the name (of |){person}.
(I'd|I would|We'd) like to (order|buy|get) {items}.
(Please send|Send|Could you send) (us|me) {items}.
We need {items}.
(The order|My order|Our list): {items}.
(I|We) (ordered|bought|chose) {items}.
Put (down |){items} for (me|us), please.
(This time|Today) (we|I) take {items}.
(In the cart|In the basket) there (are|is) {items}.
(I'd|I would|We'd) like (to order |to buy |){goods}.
(Please send|Send|Could you send) (us|me) {goods}(| for {price} each).
We need {goods} (by|before|until) {date}.
I want {goods} at {price} (each|a piece).
{goods}, please.
(Can|Could) I (get|have) {goods}(|, please)?
(I'll|We will) take {goods}, {price} each.
(Order|Please order) {goods} for (our office in {city}|the team|me).
(Put|Add) {goods} on (my|our) (bill|list).
The price is {price} (each|a piece|per piece).
(One|Each) (of them |)costs {price}.
The total is {total}.
(That makes|Together that is|In total that's) {total}.
(The sum|The whole order) (comes to|is) {total}.
I (paid|will pay) {total} (in all|altogether|in total).
(Total|Amount): {total}
It (adds up|comes) to {total} (with tax|including shipping|).
(Please deliver|Deliver|Ship) (it|everything|them) to {address} in {city}.
(Please deliver|Deliver|Ship) (it|everything) to {city} (by|on|before) {date}.
(The address is|Address:|My address:|Our address is) {address}, {city}.
(Send|Bring) it to {address}, {city}, (please|thanks).
(We|I) live (at|in) {address}.
(Delivery|Shipping) to {recipient}, {address}, {city}.
It (goes|should go) to {city}(|, {address}).
The (parcel|package) is for {recipient}(| in {city}).
(Please give|Hand) it to {recipient} (at the door|at the desk|in person).
(The recipient|The receiver) is {recipient}.
{recipient} will (take|receive|accept) (it|the delivery|the parcel).
(Deliver|Address) it to {recipient}, please.
(I|We) need (it|them|everything) (by|on|before) {date}.
(Delivery|Deliver) (on|by) {date}(|, please).
It should (arrive|be here) (by|on|before) {date}.
(Delivery date|Date|Ship by): {date}
(If possible|Preferably), it comes on {date}.
(The order number is|Order number:|Order|Our reference:) {order}.
This (belongs to|is) order {order}.
(Please quote|Please use|Use) {order} (as reference|on the invoice|).
(It's|It is) order {order}, as always.
(The confirmation|Your mail) says {order}.
(My e-mail is|Mail:|E-mail:|Confirm to) {email}.
(Send|Mail) the (invoice|receipt|confirmation) to {email}.
(You can reach|Reach) me at {email}(| or {phone}).
(For questions|If there are questions): {email}(|, {phone}).
(Call|Please call) {phone} (before you come|when it is ready|for details).
(Phone|Tel.|My number is) {phone}.
(Questions|Problems)? (Ring|Call) {phone} or (mail|write to) {email}.
(I|We) (order|write) for {company}.
(Bill|Charge|Invoice) it to {company}.
(The customer|The buyer) is {company}, as (before|usual).
{urgency_cap}.
(Please note|One more thing): {urgency}.
(By the way|And), {urgency}.
(I|We) (will |)pay by {payment}.
(Payment|Paid) by {payment}.
(I|We)'d like to (use|pay with) {payment}.
{payment_cap} is (fine|okay|best) for (me|us).
""")

# Held out of training, like every seventh of the sentences above.
HELD_OUT = lines("""
A (copy|note) to {email} would be nice.
{email} is where I read my mail.
The account of {company} should be charged.
Purchaser: {company}
For the attention of {recipient}.
{recipient} is waiting for the parcel.
I prefer {payment}.
How I pay: {payment}.
""")
