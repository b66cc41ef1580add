"""Tasks and bug reports."""

from lines import lines

NAME = "task"
NOUN = "task"
SLOTS = {
    "task": "task", "assignee": "person", "reporter": "person", "due": "date", "urgency": "urgency", "done": "done",
    "project": "title", "tags": "tags", "number": "code", "hours": "small", "company": "company",
}
KEYS = {
    "task": "title task summary todo name",
    "assignee": "assignee assigned_to owner responsible",
    "reporter": "reporter requested_by created_by author",
    "due": "due_date due deadline date",
    "done": "done completed finished is_done",
    "project": "project project_name event",
    "number": "id number task_id ticket",
    "hours": "hours estimate effort hours_needed",
    "company": "client company customer",
}
NESTED = {"people": ["assignee", "reporter"], "project": ["project", "company"]}

SENTENCES = lines("""
{assignee} (should|has to|must|will|needs to) {task} (by|before|until) {due}.
(Please|Could you please) {task}(| before {due}).
(We|Somebody) (need|needs|must|has) to {task}.
(Task|To do|Todo|Title): {task}
(The next step|The task|The job) is to {task}.
(Don't forget|Remember|Remind me) to {task}(| by {due}).
{reporter} (asked|told|wants) {assignee} to {task}.
It is (time|necessary|important) to {task}.
(Our plan|The plan) for {project} is to {task}.
For (the |){project}, we (should|have to|must) {task}.
(Assigned to|Owner|Assignee|Responsible): {assignee}
(This|It|The task) is (assigned to|for) {assignee}.
{assignee} (takes care of it|is responsible|will do it|is in charge).
(Give|Hand) (it|this) to {assignee}, please.
(I think|Perhaps) {assignee} (can|could|should) do it.
(The owner|The person in charge) is {assignee}.
(Let|Have) {assignee} (handle|do) (it|this).
(Reported|Requested|Created|Asked) by {reporter}.
(Reporter|Author|From): {reporter}
{reporter} (reported|wrote|created|opened) (it|this)(| on behalf of {company}).
(The request|The idea|The wish) (came|comes|is) from {reporter}.
(Thanks to|According to) {reporter}, we know (this|about it).
(Yours|Signed), {reporter}
(It is|It's) due (on|by) {due}.
(Due|Deadline|Due date|By): {due}
(The deadline|The due date) is {due}.
(It has to be|It must be|Should be) (ready|finished) (by|on|before) {due}.
(Finish|Do) it (by|before|until) {due}.
(We|You) have (time |)until {due}.
{urgency_cap}.
(Note|Please note): {urgency}.
(And|Also), {urgency}.
(Priority|How urgent)? {urgency_cap}.
(As for the timing|About timing): {urgency}.
{done_cap}.
(Status|State): {done}.
(By the way|For the record), {done}.
(As of today|Right now), {done}.
(Project|Part of): {project}
(It|This) (belongs to|is part of) (the |){project}.
(We do|We need) (it|this) for (the |){project}(| of {company}).
(The project|The whole project) is (called |){project}.
In (the |)project {project}.
(Tags|Labels|Keywords): {tags}
(Label|Tag) it (with|as) {tags}.
(It|The work) is about {tags}.
(File|Put) it under {tags}.
It (touches|concerns) {tags}.
(Number|Task|ID|Ticket): {number}
(The number|The task number|The ticket) is {number}.
(See|It is|This is) (ticket|task|number) {number}.
(Ticket|Task) {number} (is waiting|needs you).
(Filed|Registered) as {number}.
(It|That) (takes|will take|needs) (about |){hours} hours.
(Hours|Estimate|Effort): {hours} hours
(I think|We guess) {hours} hours (are enough|will do).
(The estimate|The effort) is {hours} hours.
(Plan|Reserve) {hours} hours for it.
(The client|The customer) is {company}.
(Client|Customer|Company): {company}
(We|They) (do|need) (this|it) for {company}.
{company} (pays|is paying|waits) for it.
It (is work|is) for {company}.
""")

# Held out of training, like every seventh of the sentences above.
HELD_OUT = lines("""
Just so you know, {done}.
Current state: {done}.
Expect {hours} hours of work.
Roughly {hours} hours.
""")
