"""What all domains share: names of keys, small talk, greetings."""

from lines import lines

KEYS = {
    "person": "name full_name customer customer_name contact_name client contact sender person",
    "email": "email email_address contact_email mail customer_email",
    "phone": "phone phone_number telephone mobile contact_phone",
    "company": "company company_name organization employer business",
    "role": "role job_title position job",
    "order": "order_id order_number order order_no order_ref",
    "product": "product product_name item article item_name",
    "quantity": "quantity qty count amount_ordered units",
    "price": "price unit_price cost",
    "total": "total total_price amount total_amount sum",
    "currency": "currency currency_code",
    "date": "date day on_date",
    "time": "time start_time at",
    "city": "city location town place",
    "address": "address street street_address",
    "tags": "tags keywords labels topics",
    "priority": "priority urgency priority_level",
    "urgent": "urgent is_urgent",
    "category": "category department topic team",
    "sentiment": "sentiment mood tone",
    "summary": "summary problem issue description",
    "items": "items products order_items lines",
}

GREETINGS = lines("""
Hi,
Hello,
Hi there,
Good morning,
Dear (team|all|colleagues|Sir or Madam),
Hey,
Good (afternoon|evening|day),
Hello (everyone|team|again),
To whom it may concern,
Greetings,
""")

CLOSERS = lines("""
Thanks!
Thank you.
Many thanks.
(Best|Kind|Warm) regards
Cheers
Thanks in advance.
(I look|Looking) forward to (your|an) answer.
Have a nice (day|weekend|week).
All the best
Talk soon.
That is all for now.
Thank you for your (help|time|patience).
""")

FILLERS = lines("""
(I hope|Hope) you are (well|doing well|fine).
The weather (here|in {noise_city}) has been (awful|lovely|strange) (lately|this week).
I (talked|spoke) to {noise_person} about it (last week|yesterday|already).
Sorry for the (long|late) message.
It took me a while to find the right (address|form|page).
My colleague {noise_person} (recommended|suggested) you.
I have been (a customer|with you) for {noise_number} years.
We are (still|all) very (busy|tired) at the moment.
Please don't call (before|after) {noise_time}.
I am writing from (my phone|the train|the office), so excuse the typos.
{noise_person} from {noise_company} (had|saw) the same thing.
I (already|also) looked at your (website|help page|manual).
By the way, the new (website|app|catalogue) looks (great|nice|much better).
This is the (first|second|third) time I write.
If you need (anything else|more details), just (ask|reply|let me know).
We (moved|came) here from {noise_city} (last year|in spring|some time ago).
As (discussed|agreed|mentioned) (on the phone|in our last call|before).
Let me know if (something|anything) is (missing|unclear).
My (neighbour|sister|brother|boss) {noise_person} says hello.
(No|There is no) need to (answer|reply) before {noise_date}.
(We|I) have {noise_number} (children|cats|employees|offices), by the way.
Our last (message|call) was on {noise_date}.
I could not find it on your (page|list|website).
(It's|It is) a (small|big|simple) thing, (really|I think|perhaps).
You can (see|find) more on our (page|website|profile).
""")

FEELINGS = {
    "positive": ["I love it", "I am very happy with it", "it works wonderfully", "great service so far",
                 "we are delighted", "it is excellent", "I am really impressed", "fantastic work",
                 "everything is perfect", "I am very pleased"],
    "negative": ["I am very disappointed", "this is terrible", "I am really annoyed", "we are frustrated",
                 "I am angry about it", "this is awful", "it is a bad experience", "very poor service",
                 "I am unhappy with this", "I regret buying it"],
    "neutral": ["it is okay", "it is neither good nor bad", "it does its job", "it is average", "no strong opinion",
                "it is fine, nothing special", "it is acceptable", "just a note"],
}

URGENCY = {
    "high": ["this is urgent", "it is very urgent", "I need this as soon as possible", "this is critical",
             "we need help immediately", "please answer right away", "it is an emergency", "it can't wait",
             "this is top priority", "I need it fixed today", "please hurry", "this blocks our whole work",
             "we need it ASAP"],
    "medium": ["sometime this week would be fine", "it is of normal priority", "a reply within a few days is okay",
               "please look at it this week", "it is moderately important", "in the next days, please"],
    "low": ["there is no rush", "it is not urgent", "whenever you have time", "take your time", "it can wait",
            "this is low priority", "no hurry at all", "it isn't important", "someday is fine"],
}

SIGN_OFFS = lines("""
(Best|Regards|Cheers|Thanks|Yours),\\n{person}
(Best|Kind|Warm) regards,\\n{person}
(Best|Kind) regards\\n{person}
(All the best|Many thanks)\\n{person}
Thanks, {person}
- {person}
Thank you!\\n{person}
{person}
(Sincerely|Yours sincerely|Best wishes),\\n{person}
""")
