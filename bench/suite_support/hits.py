"""A generated table of the form of ClickBench's `hits`: page views of a counter of web traffic, 105 columns.

The rows are a function of their number and of DuckDB's hash, so both engines read the same. Values that the queries
look for (counter 62, searches for google, two hash values) are frequent enough to be found in 100,000 rows.
"""

from suite_support.randomness import expanded

ROWS_AT_SCALE_1 = 1_000_000

# Names and types in order. What has no expression below is zero or empty, as most of it is in the original as well.
COLUMNS = """
watchid bigint, javaenable smallint, title text, goodevent smallint, eventtime timestamp, eventdate date,
counterid integer, clientip integer, regionid integer, userid bigint, counterclass smallint, os smallint,
useragent smallint, url text, referer text, isrefresh smallint, referercategoryid smallint, refererregionid integer,
urlcategoryid smallint, urlregionid integer, resolutionwidth smallint, resolutionheight smallint,
resolutiondepth smallint, flashmajor smallint, flashminor smallint, flashminor2 text, netmajor smallint,
netminor smallint, useragentmajor smallint, useragentminor text, cookieenable smallint, javascriptenable smallint,
ismobile smallint, mobilephone smallint, mobilephonemodel text, params text, ipnetworkid integer,
traficsourceid smallint, searchengineid smallint, searchphrase text, advengineid smallint, isartifical smallint,
windowclientwidth smallint, windowclientheight smallint, clienttimezone smallint, clienteventtime timestamp,
silverlightversion1 smallint, silverlightversion2 smallint, silverlightversion3 integer, silverlightversion4 smallint,
pagecharset text, codeversion integer, islink smallint, isdownload smallint, isnotbounce smallint, funiqid bigint,
originalurl text, hid integer, isoldcounter smallint, isevent smallint, isparameter smallint, dontcounthits smallint,
withhash smallint, hitcolor text, localeventtime timestamp, age smallint, sex smallint, income smallint,
interests smallint, robotness smallint, remoteip integer, windowname integer, openername integer,
historylength smallint, browserlanguage text, browsercountry text, socialnetwork text, socialaction text,
httperror smallint, sendtiming integer, dnstiming integer, connecttiming integer, responsestarttiming integer,
responseendtiming integer, fetchtiming integer, socialsourcenetworkid smallint, socialsourcepage text,
paramprice bigint, paramorderid text, paramcurrency text, paramcurrencyid smallint, openstatservicename text,
openstatcampaignid text, openstatadid text, openstatsourceid text, utmsource text, utmmedium text, utmcampaign text,
utmcontent text, utmterm text, fromtag text, hasgclid smallint, refererhash bigint, urlhash bigint, clid integer
"""

SITES = ["news.example.org", "www.google.com", "maps.google.ru", "shop.example.com", "www.forum.example.net",
         "video.example.tv", "kinopoisk.example.ru", "auto.example.ru", "weather.example.com", "bank.example.com"]
WORDS = ["google", "weather", "cheap", "flights", "used", "cars", "recipes", "cinema", "lyrics", "football", "jobs",
         "phone", "repair", "maps", "translate", "exchange", "rates", "horoscope", "games", "news"]
MODELS = ["iPad", "iPhone 2G", "Lumia 800", "Galaxy S", "Desire HD", "N8", "Xperia", "Curve"]


def skewed(salt, count):
    """Whole numbers from 0 to count - 1, small ones much more frequent."""
    return f"floor(pow(u({salt}), 4) * {count})::bigint"


def pick(values, index):
    listed = ", ".join("'" + value.replace("'", "''") + "'" for value in values)
    return f"([{listed}])[1 + ({index})]"


def phrase(salt):
    words = " || ' ' || ".join(pick(WORDS, skewed(salt + index, len(WORDS))) for index in range(2))
    return f"({words} || CASE WHEN u({salt + 2}) < 0.3 THEN ' ' || {skewed(salt + 3, 1000)} ELSE '' END)"


def url(salt):
    site = pick(SITES, skewed(salt, len(SITES)))
    return (f"('http' || CASE WHEN u({salt + 1}) < 0.3 THEN 's' ELSE '' END || '://' || {site} || '/' || "
            f"CASE WHEN u({salt + 2}) < 0.1 THEN 'search?q=google' ELSE 'page' END || {skewed(salt + 3, 5000)})")


EXPRESSIONS = {
    "watchid": "(hash(n * 1000003 + 1) >> 1)::bigint",
    "javaenable": "(u(2) < 0.8)::int",
    "title": f"CASE WHEN u(3) < 0.05 THEN '' WHEN u(3) < 0.1 THEN 'Google results: ' || {phrase(4)} "
             f"ELSE {phrase(4)} || ' - page ' || {skewed(8, 300)} END",
    "goodevent": "1",
    "eventtime": "moment",
    "eventdate": "moment::date",
    "counterid": f"CASE WHEN u(9) < 0.4 THEN 62 ELSE {skewed(10, 6000)} END",
    "clientip": f"({skewed(11, 50000)} * 7919) % 2000000000 - 1000000000",
    "regionid": skewed(12, 5000),
    "userid": "CASE WHEN u(13) < 0.001 THEN 435090932899640449 "
              f"ELSE (hash({skewed(14, 100000)} * 1000003 + 15) >> 1)::bigint END",
    "counterclass": "(u(16) * 3)::int - 1",
    "os": skewed(17, 90),
    "useragent": skewed(18, 80),
    "url": f"CASE WHEN u(19) < 0.001 THEN '' ELSE {url(20)} END",
    "referer": f"CASE WHEN u(24) < 0.2 THEN '' ELSE {url(25)} END",
    "isrefresh": "(u(29) < 0.15)::int",
    "referercategoryid": skewed(30, 100),
    "refererregionid": skewed(31, 1000),
    "urlcategoryid": skewed(32, 100),
    "urlregionid": skewed(33, 1000),
    "resolutionwidth": "([0, 1024, 1280, 1366, 1600, 1680, 1920, 1997])[1 + (u(34) * 7)::int]",
    "resolutionheight": "([0, 768, 800, 900, 1050, 1080])[1 + (u(35) * 5)::int]",
    "resolutiondepth": "([24, 32])[1 + (u(36) * 1)::int]",
    "flashmajor": "(u(37) * 12)::int",
    "flashminor2": "(u(38) * 800)::int::text",
    "useragentmajor": skewed(39, 60),
    "useragentminor": f"({skewed(40, 30)} || 'D')",
    "cookieenable": "1",
    "javascriptenable": "1",
    "ismobile": "(u(41) < 0.1)::int",
    "mobilephone": f"CASE WHEN u(41) < 0.1 THEN 1 + {skewed(42, 80)} ELSE 0 END",
    "mobilephonemodel": f"CASE WHEN u(41) < 0.06 THEN {pick(MODELS, skewed(43, len(MODELS)))} ELSE '' END",
    "ipnetworkid": skewed(44, 4000000),
    "traficsourceid": "(u(45) * 11)::int - 1",
    "searchengineid": f"CASE WHEN u(46) < 0.15 THEN 1 + {skewed(47, 90)} ELSE 0 END",
    "searchphrase": f"CASE WHEN u(46) < 0.13 THEN {phrase(48)} ELSE '' END",
    "advengineid": f"CASE WHEN u(52) < 0.007 THEN 1 + {skewed(53, 60)} ELSE 0 END",
    "windowclientwidth": "300 + (u(54) * 1600)::int",
    "windowclientheight": "200 + (u(55) * 900)::int",
    "clienttimezone": "(u(56) * 24)::int",
    "clienteventtime": "moment + to_seconds((u(57) * 7200)::bigint - 3600)",
    "pagecharset": "CASE WHEN u(58) < 0.9 THEN 'utf-8' ELSE 'windows' END",
    "codeversion": skewed(59, 2000),
    "islink": "(u(60) < 0.2)::int",
    "isdownload": "(u(61) < 0.02)::int",
    "isnotbounce": "(u(62) < 0.6)::int",
    "funiqid": "(hash(n * 1000003 + 63) >> 1)::bigint",
    "originalurl": f"CASE WHEN u(64) < 0.1 THEN {url(65)} ELSE '' END",
    "hid": "(hash(n * 1000003 + 69) >> 34)::int",
    "dontcounthits": "(u(70) < 0.1)::int",
    "hitcolor": "([chr(84), 'g', '5', 'E'])[1 + (u(71) * 3)::int]",
    "localeventtime": "moment + to_seconds((u(72) * 86400)::bigint)",
    "age": "(u(73) * 60)::int",
    "sex": "(u(74) * 2)::int",
    "income": "(u(75) * 4)::int",
    "interests": "(hash(n * 1000003 + 76) >> 50)::int",
    "robotness": skewed(77, 30),
    "remoteip": "(hash(n * 1000003 + 78) >> 33)::int - 1073741824",
    "windowname": skewed(79, 4000),
    "historylength": skewed(80, 100),
    "browserlanguage": "([chr(1071), 'ru', 'en', 'de', 'fr'])[1 + (u(81) * 4)::int]",
    "browsercountry": "(['RU', 'US', 'DE', 'FR', '?1'])[1 + (u(82) * 4)::int]",
    "sendtiming": f"{skewed(83, 5000)} - 1",
    "dnstiming": f"{skewed(84, 3000)} - 1",
    "connecttiming": skewed(85, 5000),
    "responsestarttiming": skewed(86, 9000),
    "responseendtiming": skewed(87, 9000),
    "fetchtiming": skewed(88, 30000),
    "paramprice": skewed(89, 100000),
    "refererhash": "CASE WHEN u(90) < 0.02 THEN 3594120000172545465 "
                   f"ELSE (hash({skewed(91, 20000)} * 1000003 + 92) >> 1)::bigint END",
    "urlhash": "CASE WHEN u(93) < 0.05 THEN 2868770270353813622 "
               f"ELSE (hash({skewed(94, 20000)} * 1000003 + 95) >> 1)::bigint END",
    "clid": skewed(96, 4000),
}


def write(connection, directory, scale):
    items = []
    for name, kind in (column.split() for column in COLUMNS.replace("\n", " ").split(", ")):
        value = EXPRESSIONS.get(name, "''" if kind == "text" else "0")
        items.append(f"({value})::{kind} AS {name}")
    rows = max(1, round(ROWS_AT_SCALE_1 * scale))
    target = str(directory / "hits.parquet").replace("'", "''")
    connection.execute(expanded(f"""
        COPY (
            SELECT {", ".join(items)}
            FROM (SELECT n, timestamp '2013-07-01 00:00:00' + to_seconds((u(0) * 2678399)::bigint) AS moment
                  FROM (SELECT unnest(range({rows})) AS n))
        ) TO '{target}' (FORMAT parquet)"""))
