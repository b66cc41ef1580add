"""Reviews of products."""

from lines import lines

NAME = "review"
NOUN = "review"
SLOTS = {
    "product": "product", "person": "person", "rating": "rating", "feeling": "feeling", "recommend": "recommend",
    "price": "money", "date": "date", "city": "city", "company": "company", "tags": "tags", "title": "title",
}
KEYS = {
    "person": "name reviewer author user reviewer_name",
    "rating": "rating stars score",
    "recommend": "recommend recommended would_recommend",
    "company": "company brand shop seller maker",
    "date": "date bought_on purchase_date reviewed_on",
    "tags": "tags pros keywords topics",
    "title": "title headline heading",
}
NESTED = {"reviewer": ["person", "city"], "author": ["person", "city"]}

SENTENCES = lines("""
(I bought|I got|We bought) the {product} (from|at) {company} for {price}.
(I have|We have) had the {product} (for a month|for a year|since {date}).
(This|The) {product} (is|was) a (gift|present|surprise).
(Product|Item|Review of): {product}
(My review|A review|Some words) of the {product}(| by {company}).
The {product} (from|by|of) {company} (came|arrived) on {date}.
(Yesterday|Last month|Today) I (tried|tested|unpacked) the {product}.
(About|On) the {product}: {feeling}.
I give it {rating}.
(Rating|Stars|Score): {rating}
({rating} from me|It gets {rating}).
(The {product}|It) (gets|deserves|earns) {rating}(| from me).
{rating}, (no more, no less|I think|to be fair).
(My rating|My score) is {rating}.
(So|All in all), {rating}.
{feeling_cap}.
(Honestly|Overall|In short), {feeling}.
(After some weeks|After a month), {feeling}.
(What can I say|My opinion): {feeling}.
I (think|must say|would say) {feeling}.
(We|My family and I) agree: {feeling}.
(For me|To me), {feeling}.
{recommend_cap}.
(Finally|So|And), {recommend}.
(In the end|My verdict): {recommend}.
(To my friends I say|In a word): {recommend}.
(For that price|As it is), {recommend}.
(It cost|I paid|The price was) {price}.
(Price|Cost|Paid): {price}
(For|At) {price}, (it is what it is|what do you expect).
(I spent|We spent) {price} (on it|in the shop).
{price} (is|was) the price.
(Bought|Purchased) on {date}(| in {city}).
(Date|Bought): {date}
(I bought it|It came|It arrived) on {date}.
(Reviewed|Written|Posted) on {date} by {person}.
(My name is|I am|I'm) {person} (from|and I live in) {city}.
(By|Author|Reviewer|Review by) {person}(|, {city})
(Signed|Yours), {person}
{person} from {city} (writes|says|here).
- {person}(|, {city})
(Written|Posted) by {person}.
(It was|Review) written by {person}.
(I live|We live) in {city}.
(City|Town|Place): {city}
(The shop|The store) (is|was) in {city}.
(We|I) (ordered|had it sent) to {city}.
(The maker|The brand|The seller) is {company}.
(Brand|Shop|Seller): {company}
(I ordered|We bought it) (from|at|through) {company}.
{company} (makes|sells|delivers) it.
(It is|They are) made by {company}.
(Tags|Keywords|Pros): {tags}
(I use it|It is good) for {tags}.
(It has to do with|Think of) {tags}.
(Good points|Topics) are {tags}.
Tagged (as|with) {tags}.
(Title|Headline): {title}
(I would call this|The headline is) "{title}".
"{title}" (is my title|would be the headline).
*{title}*
(The title of my review|The heading) is {title}.
""")

# Held out of training, like every seventh of the sentences above.
HELD_OUT = lines("""
It has been mine since {date}.
The receipt says {date}.
{company} did a good job here.
The label says {company}.
""")
