// A generated table of the form of ClickBench's `hits`: page views of a counter of web traffic, 105 columns.
//
// The rows are a function of their number, in integers and in SQL that PostgreSQL takes as well, so any server can make the
// same ones. What the queries look for (counter 62, addresses with google, two hash values) is frequent enough to be found.

enum ClickBenchData {
    /// The statement that makes the table with rows 1 to `rows`.
    static func statement(table: String, rows: Int) -> String {
        let columns = self.columns.split(separator: ",").map { column -> String in
            let parts = column.split(whereSeparator: \.isWhitespace)
            let (name, type) = (String(parts[0]), String(parts[1]))
            return "CAST(\(expressions[name] ?? (type == "text" ? "''" : "0")) AS \(type)) AS \(name)"
        }
        return """
            CREATE TABLE \(table) AS SELECT \(columns.joined(separator: ", "))
            FROM (SELECT n, TIMESTAMP '2013-07-01 00:00:00' + \(uniform(0, 2_678_400)) * INTERVAL '1 second' AS moment
                  FROM generate_series(CAST(1 AS bigint), CAST(\(rows) AS bigint)) AS numbers(n)) AS moments
            """
    }

    /// In order. What has no expression below is zero or empty, as most of it is in the original as well.
    private static let columns = """
        watchid bigint, javaenable smallint, title text, goodevent smallint, eventtime timestamp, eventdate date,
        counterid integer, clientip integer, regionid integer, userid bigint, counterclass smallint, os smallint,
        useragent smallint, url text, referer text, isrefresh smallint, referercategoryid smallint,
        refererregionid integer, urlcategoryid smallint, urlregionid integer, resolutionwidth smallint,
        resolutionheight smallint, resolutiondepth smallint, flashmajor smallint, flashminor smallint,
        flashminor2 text, netmajor smallint, netminor smallint, useragentmajor smallint, useragentminor text,
        cookieenable smallint, javascriptenable smallint, ismobile smallint, mobilephone smallint,
        mobilephonemodel text, params text, ipnetworkid integer, traficsourceid smallint, searchengineid smallint,
        searchphrase text, advengineid smallint, isartifical smallint, windowclientwidth smallint,
        windowclientheight smallint, clienttimezone smallint, clienteventtime timestamp, silverlightversion1 smallint,
        silverlightversion2 smallint, silverlightversion3 integer, silverlightversion4 smallint, pagecharset text,
        codeversion integer, islink smallint, isdownload smallint, isnotbounce smallint, funiqid bigint,
        originalurl text, hid integer, isoldcounter smallint, isevent smallint, isparameter smallint,
        dontcounthits smallint, withhash smallint, hitcolor text, localeventtime timestamp, age smallint,
        sex smallint, income smallint, interests smallint, robotness smallint, remoteip integer, windowname integer,
        openername integer, historylength smallint, browserlanguage text, browsercountry text, socialnetwork text,
        socialaction text, httperror smallint, sendtiming integer, dnstiming integer, connecttiming integer,
        responsestarttiming integer, responseendtiming integer, fetchtiming integer, socialsourcenetworkid smallint,
        socialsourcepage text, paramprice bigint, paramorderid text, paramcurrency text, paramcurrencyid smallint,
        openstatservicename text, openstatcampaignid text, openstatadid text, openstatsourceid text, utmsource text,
        utmmedium text, utmcampaign text, utmcontent text, utmterm text, fromtag text, hasgclid smallint,
        refererhash bigint, urlhash bigint, clid integer
        """

    // MARK: - Numbers that look like chance

    private static let modulus = 2_147_483_647

    /// A whole number below the modulus, of the row's number. `salt` tells columns apart. No product is beyond 62 bits.
    private static func chance(_ salt: Int) -> String {
        let first = 1 + (salt * 1_103_515_245 + 12_345) % (modulus - 2)
        let second = 1 + (salt * 69_069 + 1_234_567_891) % (modulus - 2)
        return "(((n * \(first)) % \(modulus)) * ((n * \(second) + \(salt)) % \(modulus)) % \(modulus))"
    }

    /// Whole numbers from 0 to `count` - 1, all as frequent.
    private static func uniform(_ salt: Int, _ count: Int) -> String { "(\(chance(salt)) % \(count))" }

    /// Whole numbers from 0 to `count` - 1, small ones much more frequent: the product of three that are as frequent.
    private static func skewed(_ salt: Int, _ count: Int) -> String {
        let number = chance(salt)
        return "((\(number) % 1000) * (\(number) / 1000 % 1000) * (\(number) / 1000000 % 1000) * \(count) / 1000000000)"
    }

    /// Whether a thing of so many per thousand is the case.
    private static func isCase(_ salt: Int, _ perThousand: Int) -> String { "\(uniform(salt, 1000)) < \(perThousand)" }

    private static func flag(_ salt: Int, _ perThousand: Int) -> String {
        "(CASE WHEN \(isCase(salt, perThousand)) THEN 1 ELSE 0 END)"
    }

    /// Numbers that are far apart and the same for the same index.
    private static func spread(_ index: String, _ salt: Int) -> String {
        "(\(index) * 9223372 % 2147483629 * 4294967291 + \(salt))"
    }

    // MARK: - Texts

    private static func pick(_ values: [String], _ index: String) -> String {
        "(ARRAY[\(values.map { "'\($0)'" }.joined(separator: ", "))])[CAST(1 + \(index) AS integer)]"
    }

    private static let sites = [
        "news.example.org", "www.google.com", "maps.google.ru", "shop.example.com", "www.forum.example.net",
        "video.example.tv", "cinema.example.ru", "auto.example.ru", "weather.example.com", "bank.example.com",
    ]
    private static let words = [
        "google", "weather", "cheap", "flights", "used", "cars", "recipes", "cinema", "lyrics", "football", "jobs",
        "phone", "repair", "maps", "translate", "exchange", "rates", "horoscope", "games", "news",
    ]
    private static let models = [
        "iPad", "iPhone 2G", "Lumia 800", "Galaxy S", "Desire HD", "N8", "Xperia", "Curve",
    ]

    private static func phrase(_ salt: Int) -> String {
        let first = pick(words, skewed(salt, words.count))
        let second = pick(words, skewed(salt + 1, words.count))
        return
            "(\(first) || ' ' || \(second) || CASE WHEN \(isCase(salt + 2, 300)) THEN ' ' || \(skewed(salt + 3, 1000)) ELSE '' END)"
    }

    private static func address(_ salt: Int) -> String {
        let site = pick(sites, skewed(salt, sites.count))
        return
            "('http' || CASE WHEN \(isCase(salt + 1, 300)) THEN 's' ELSE '' END || '://' || \(site) || '/' || "
            + "CASE WHEN \(isCase(salt + 2, 100)) THEN 'search?q=google' ELSE 'page' END || \(skewed(salt + 3, 5000)))"
    }

    // MARK: - Columns

    private static let expressions: [String: String] = [
        "watchid": spread("n", 1),
        "javaenable": flag(2, 800),
        "title": """
        CASE WHEN \(isCase(3, 50)) THEN '' WHEN \(isCase(3, 100)) THEN 'Google results: ' || \(phrase(4)) \
        ELSE \(phrase(4)) || ' - page ' || \(skewed(8, 300)) END
        """,
        "goodevent": "1",
        "eventtime": "moment",
        "eventdate": "moment",
        "counterid": "CASE WHEN \(isCase(9, 400)) THEN 62 ELSE \(skewed(10, 6000)) END",
        "clientip": "\(skewed(11, 50_000)) * 7919 % 2000000000 - 1000000000",
        "regionid": skewed(12, 5000),
        "userid": "CASE WHEN \(isCase(13, 1)) THEN 435090932899640449 ELSE \(spread(skewed(14, 100_000), 15)) END",
        "counterclass": "\(uniform(16, 3)) - 1",
        "os": skewed(17, 90),
        "useragent": skewed(18, 80),
        "url": "CASE WHEN \(isCase(19, 1)) THEN '' ELSE \(address(20)) END",
        "referer": "CASE WHEN \(isCase(24, 200)) THEN '' ELSE \(address(25)) END",
        "isrefresh": flag(29, 150),
        "referercategoryid": skewed(30, 100),
        "refererregionid": skewed(31, 1000),
        "urlcategoryid": skewed(32, 100),
        "urlregionid": skewed(33, 1000),
        "resolutionwidth":
            "(ARRAY[0, 1024, 1280, 1366, 1600, 1680, 1920, 1997])[CAST(1 + \(uniform(34, 8)) AS integer)]",
        "resolutionheight": "(ARRAY[0, 768, 800, 900, 1050, 1080])[CAST(1 + \(uniform(35, 6)) AS integer)]",
        "resolutiondepth": "24 + 8 * \(uniform(36, 2))",
        "flashmajor": uniform(37, 12),
        "flashminor2": "CAST(\(uniform(38, 800)) AS text)",
        "useragentmajor": skewed(39, 60),
        "useragentminor": "\(skewed(40, 30)) || 'D'",
        "cookieenable": "1",
        "javascriptenable": "1",
        "ismobile": flag(41, 100),
        "mobilephone": "CASE WHEN \(isCase(41, 100)) THEN 1 + \(skewed(42, 80)) ELSE 0 END",
        "mobilephonemodel": "CASE WHEN \(isCase(41, 60)) THEN \(pick(models, skewed(43, 8))) ELSE '' END",
        "ipnetworkid": skewed(44, 4_000_000),
        "traficsourceid": "\(uniform(45, 11)) - 1",
        "searchengineid": "CASE WHEN \(isCase(46, 150)) THEN 1 + \(skewed(47, 90)) ELSE 0 END",
        "searchphrase": "CASE WHEN \(isCase(46, 130)) THEN \(phrase(48)) ELSE '' END",
        "advengineid": "CASE WHEN \(isCase(52, 7)) THEN 1 + \(skewed(53, 60)) ELSE 0 END",
        "windowclientwidth": "300 + \(uniform(54, 1600))",
        "windowclientheight": "200 + \(uniform(55, 900))",
        "clienttimezone": uniform(56, 24),
        "clienteventtime": "moment + (\(uniform(57, 7200)) - 3600) * INTERVAL '1 second'",
        "pagecharset": "CASE WHEN \(isCase(58, 900)) THEN 'utf-8' ELSE 'windows' END",
        "codeversion": skewed(59, 2000),
        "islink": flag(60, 200),
        "isdownload": flag(61, 20),
        "isnotbounce": flag(62, 600),
        "funiqid": spread(chance(63), 63),
        "originalurl": "CASE WHEN \(isCase(64, 100)) THEN \(address(65)) ELSE '' END",
        "hid": chance(69),
        "dontcounthits": flag(70, 100),
        "hitcolor": pick(["T", "g", "5", "E"], uniform(71, 4)),
        "localeventtime": "moment + \(uniform(72, 86_400)) * INTERVAL '1 second'",
        "age": uniform(73, 60),
        "sex": uniform(74, 3),
        "income": uniform(75, 5),
        "interests": uniform(76, 16_384),
        "robotness": skewed(77, 30),
        "remoteip": "\(chance(78)) - 1073741824",
        "windowname": skewed(79, 4000),
        "historylength": skewed(80, 100),
        "browserlanguage": pick(["я", "ru", "en", "de", "fr"], uniform(81, 5)),
        "browsercountry": pick(["RU", "US", "DE", "FR", "?1"], uniform(82, 5)),
        "sendtiming": "\(skewed(83, 5000)) - 1",
        "dnstiming": "\(skewed(84, 3000)) - 1",
        "connecttiming": skewed(85, 5000),
        "responsestarttiming": skewed(86, 9000),
        "responseendtiming": skewed(87, 9000),
        "fetchtiming": skewed(88, 30_000),
        "paramprice": skewed(89, 100_000),
        "refererhash":
            "CASE WHEN \(isCase(90, 200)) THEN 3594120000172545465 ELSE \(spread(skewed(91, 20_000), 92)) END",
        "urlhash": "CASE WHEN \(isCase(93, 50)) THEN 2868770270353813622 ELSE \(spread(skewed(94, 20_000), 95)) END",
        "clid": skewed(96, 4000),
    ]
}
