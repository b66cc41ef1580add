"""Word lists, and words made up of syllables.

Most names in the training text are made up, so that the model learns to copy
what it reads and can't know the answer by heart.
"""

FIRST_NAMES = """Ada Adam Agnes Ahmed Aiko Alan Alice Amara Amina Amir Ana André Anna Anton Aria Asha Astrid
Bela Ben Bianca Björn Bruno Camila Carl Carmen Chen Chloe Clara Dana Daniel David Dina Diego Edith Elena Eli
Elif Emil Emma Erik Esther Eva Farid Fatima Felix Fiona Frida George Grace Greta Hana Hannah Hassan Helen Hugo
Ibrahim Ida Igor Ines Ingrid Irene Ivan Jack Jane Jens Joan João John José Julia Jun Karim Karl Kate Kenji Lara
Laura Lea Leo Lina Linh Lucas Lucy Luis Magda Marco Maria Mark Marta Martin Maya Mei Mia Milan Mina Mohamed
Nadia Nina Noah Nora Olga Oliver Omar Oscar Paula Pavel Peter Petra Priya Rachel Rafael Raj Renée Rita Robert
Rosa Ruth Sam Samira Sara Sean Sofia Sonja Stefan Susan Sven Tara Thomas Tim Tom Tomás Uma Vera Victor Wei
William Yara Yusuf Zoe Zoë Łukasz Jürgen Oksana Bogdan Ravi Leila Noor Ivy Ruby Ethan Liam Olivia""".split()

LAST_NAMES = """Abbott Adler Ahmed Allen Andersen Bailey Baker Becker Bell Berg Bianchi Brown Carter Chen Clark
Cohen Costa Cruz Davies Diaz Dubois Evans Fischer Fox García Gomez Gray Green Gupta Hall Hansen Harris Hill
Hoffmann Hughes Ito Ivanov Jackson Jansen Jensen Johnson Jones Kaya Keller Khan Kim King Klein Kowalski Kumar
Lang Larsen Lee Lehmann Lewis Li Lopez Marino Martin Mehta Meyer Miller Moore Morgan Moreau Müller Murphy Nagy
Nakamura Nguyen Novak Olsen Okafor Ortiz Park Patel Perez Petrov Popescu Quinn Ramos Reed Reyes Rossi Sato
Schmidt Schulz Silva Singh Smith Sørensen Suzuki Tanaka Taylor Torres Turner Vargas Vogel Walker Wang Weber
White Wilson Winter Wood Wright Yamada Yilmaz Young Zhang Zimmermann""".split()

CITIES = """Amsterdam Athens Barcelona Basel Belfast Berlin Bern Bologna Boston Bristol Brussels Budapest Cairo
Chicago Cologne Copenhagen Dakar Denver Dresden Dublin Edinburgh Florence Geneva Ghent Glasgow Graz Hamburg
Helsinki Istanbul Kraków Kyoto Lagos Leeds Leipzig Lima Lisbon Lyon Madrid Malmö Manchester Marseille Melbourne
Milan Montreal Mumbai Munich Nairobi Naples Nice Osaka Oslo Paris Porto Prague Quito Riga Rome Rotterdam Santiago
Seattle Seoul Seville Sofia Stockholm Sydney Tallinn Tokyo Toronto Turin Utrecht Valencia Vienna Vilnius Warsaw
York Zagreb Zürich""".split() + ["New York", "San Diego", "Cape Town", "Buenos Aires", "São Paulo", "The Hague"]

NOUNS = """lamp desk chair table shelf sofa kettle blender toaster mug plate bowl knife pan oven fan heater mirror
carpet pillow blanket towel curtain clock camera lens tripod phone tablet laptop keyboard mouse monitor printer
speaker headset charger cable router battery drill hammer ladder saw pump tent backpack jacket coat shirt shoe boot
hat scarf glove sock belt wallet watch ring notebook pen pencil marker folder poster frame candle vase basket box
bottle bicycle helmet scooter skateboard racket ball mat dumbbell guitar drum violin puzzle kite doll book calendar
planter rake shovel hose bench stool cabinet drawer wardrobe cushion teapot grinder scale thermostat sensor
webcam microphone projector umbrella suitcase stapler""".split()

ADJECTIVES = """red blue green black white grey yellow orange purple silver golden small large tiny big wide narrow
tall round square long short light heavy soft wooden oak pine steel glass ceramic leather cotton woollen linen copper
plastic paper stone folding electric wireless portable foldable outdoor indoor vintage modern classic double single
travel kitchen garden office desk winter summer standing smart solar digital""".split()

TOPICS = """Autumn Spring Summer Winter Annual Weekly Open Grand Little Midnight Morning Evening Harvest Garden Music
Book Film Poetry Science Robotics Design Data Cloud Product Team Family Community Street Food Jazz Choir Chess
Photo Art Craft Theatre Dance Running Cycling Sailing Baking Coding Startup Research Career Charity Alumni""".split()

GATHERINGS = """Night Day Evening Festival Fair Meetup Workshop Summit Conference Concert Party Dinner Lunch
Breakfast Picnic Walk Race Tournament Talk Lecture Seminar Course Exhibition Market Gala Reception Screening Reading
Retreat Marathon Hackathon Forum Show Ball Review Kickoff""".split()

ROLES = """engineer manager designer director analyst accountant developer architect consultant nurse teacher editor
researcher coordinator assistant planner buyer lawyer technician electrician scientist officer writer
administrator""".split()

FIELDS_OF_WORK = """sales marketing software product project finance data support research quality office
logistics purchasing security account event senior junior chief regional technical lead""".split()

COMPANY_ENDS = """Labs Works Group Systems Ltd GmbH Inc Studio Foods Media Partners Logistics Energy Robotics
Textiles Books Tools Bank Health Software Design Solutions Trading Brothers""".split()

STREETS = "Street Road Lane Avenue Way Square Drive Hill Court Place".split()
VENUES = """Hall Centre Theatre Library Museum Gallery Park Club Hotel House School Garden Arena Café Studio
Church Pavilion Institute Barn Cinema""".split()

TAGS = """music food travel health sport science history art garden family work home school money law design code
data cloud mobile web security travel pets kids books film games fashion beauty nature climate energy transport
housing jobs training safety retail bug feature docs release beta backend frontend database network wine coffee tea
bread cheese vegan spicy sweet fresh local seasonal cheap premium limited sale gift new used repair rental
outdoor indoor online printing photo video audio crafts chess running cycling""".split()

MONTHS = """January February March April May June July August September October November December""".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
COUNTS = "zero one two three four five six seven eight nine ten".split()

SIMPLE = "b c d f g h j k l m n p r s t v w z".split()
CLUSTERS = "bl br ch cl cr dr fl fr gl gr kl kr pl pr qu sch sh sk sl sm sn sp st str sw th tr vr y".split()
VOWELS = "a a a a e e e e i i i o o o u u ai ea ee ia ie io oa ou ey".split()
CODAS = "n n r r l l s t m k d nd rt x ck st ll v sh ng rn p nt ss tt".split()


def syllable(rng, first=False, last=False):
    """One syllable; heavy ones stand at the beginning or at the end."""
    onset = rng.choice(CLUSTERS) if rng.random() < (0.3 if first else 0.1) else rng.choice(SIMPLE)
    if first and rng.random() < 0.12:
        onset = ""
    coda = rng.choice(CODAS) if rng.random() < (0.6 if last else 0.25) else ""
    return onset + rng.choice(VOWELS) + coda


def invented(rng, low=2, high=3):
    """A made-up word in small letters."""
    count = low if rng.random() < 0.6 else rng.randint(low, high)
    parts = [syllable(rng, i == 0, i == count - 1) for i in range(count)]
    if rng.random() < 0.2:
        parts[-1] += rng.choice("aoie")
    return "".join(parts) if len("".join(parts)) > 1 else invented(rng, low, high)


def proper(rng, low=2, high=3):
    """A made-up word with a capital."""
    word = invented(rng, low, high)
    return word[0].upper() + word[1:]


def mixed(rng, known, real=0.3):
    """A proper name: one of a list, or more often a made-up one."""
    return rng.choice(known) if rng.random() < real else proper(rng)
