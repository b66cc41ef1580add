"""Invoices and payments."""

from lines import lines

NAME = "invoice"
NOUN = "invoice"
SLOTS = {
    "invoice": "code", "vendor": "company", "customer": "company", "total": "money", "due": "date", "date": "date",
    "person": "person", "email": "email", "paid": "paid", "items": "items", "account": "code", "city": "city",
}
KEYS = {
    "invoice": "invoice_number invoice_id invoice invoice_no number",
    "vendor": "vendor seller supplier from biller",
    "customer": "customer client bill_to buyer customer_name",
    "total": "total amount total_amount amount_due sum",
    "due": "due_date due pay_by payable_by",
    "date": "date invoice_date issued issue_date issued_on",
    "person": "contact contact_name contact_person name accountant",
    "paid": "paid is_paid settled",
    "account": "account account_number customer_number customer_id",
    "city": "city place town",
}
NESTED = {"contact": ["person", "email"], "seller": ["vendor", "city"], "payment": ["total", "currency", "due"]}

SENTENCES = lines("""
(Please find|Here is|Attached is|We send you) invoice {invoice} (over|for) {total}.
Invoice {invoice} from {vendor} (over|for) {total} is due (on|by) {due}.
{vendor} (sent|billed|has sent) {customer} invoice {invoice}.
(Invoice|Invoice number|Invoice no.|No.): {invoice}
(This is about|It is about|Regarding|About) invoice {invoice}(|, issued on {date}).
(The number|The invoice number) is {invoice}.
(We refer|I refer) to invoice {invoice} (of|dated) {date}.
(Our|Your) invoice {invoice} (of|from) {date} is (attached|enclosed|ready).
The invoice {invoice} was (issued|written|sent) (on|) {date}.
(The vendor|The seller|The supplier) is {vendor}(|, {city}).
(From|Vendor|Seller|Supplier): {vendor}
(It|The invoice) (comes|came|is) from {vendor}(| in {city}).
{vendor} (charges|bills|asks) {total}.
(We|I) (bought|got) (it|everything|this) from {vendor}.
(Issued|Written|Sent) by {vendor}(| in {city}).
(You owe|We owe) {vendor} {total}.
(Bill to|To|Customer|Client): {customer}
(The customer|The client|The buyer) is {customer}.
(It|The invoice) is (addressed|made out) to {customer}.
(For|On behalf of) {customer}, (we thank you|I confirm this).
{customer} (has to pay|pays|owes) {total}(| by {due}).
(We|I) billed {customer} (for it|on {date}).
(The total|The amount|The sum) is {total}.
(Total|Amount|Amount due|To pay): {total}
(It|That) (comes to|makes|adds up to) {total}(| with tax).
(Please pay|Kindly pay|Pay) {total} (by|before|until) {due}.
(We ask|I ask) you (to pay|for) {total}.
(The amount|The sum) of {total} (is|will be) (due|payable) (on|by) {due}.
(Please transfer|Transfer) {total} (to our account|soon|).
(It is|Payment is|The amount is) due (on|by) {due}.
(Due|Due date|Pay by|Payable until): {due}
(Please pay|Pay|Settle it) (by|before|until) {due}.
The (deadline|due date) (is|would be) {due}.
(You have|We have) until {due} (to pay|).
(Date|Issued|Invoice date): {date}
(It|The invoice) (is dated|was issued on|was sent on) {date}.
(We wrote|They wrote|I wrote) it on {date}.
(Dated|Written) {date}.
(Questions|Any questions)? (Ask|Contact|Write to) {person}(| at {email}).
(Your contact|The contact|The contact person) is {person}(|, {email}).
{person} (in accounting|from accounting|in our office) (can help|knows more|wrote it).
(Contact|Accountant|Signed): {person}
(Signed|Yours), {person}
(Mail|E-mail|Contact): {email}
(Send|Mail) (the receipt|a confirmation|questions) to {email}.
(Write|Reply) to {email}(| with questions).
Reach us at {email}.
(Confirm|Please confirm) to {email}.
{paid_cap}.
(Please note|Note|Status): {paid}.
(As of today|By now), {paid}.
(According to|In) our books, {paid}.
(To be clear|For the record): {paid}.
It (covers|is for|includes) {items}.
(Positions|Items|Lines): {items}.
(You bought|We delivered|They delivered) {items}.
(We charge|We billed) (you |)for {items}.
(The customer number|The account|Your account number) is {account}.
(Account|Customer no.|Customer number): {account}
(Quote|Please quote|Please state) the account {account}.
(We|You) have the customer number {account}.
(Booked|Filed) under account {account}.
""")

# Held out of training, like every seventh of the sentences above.
HELD_OUT = lines("""
We issued it on {date}.
The paper carries the date {date}.
Sold: {items}.
The bill lists {items}.
""")
