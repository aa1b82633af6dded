// The vocabulary of the benchmark (TPC-H specification 4.2.2.13 and 4.2.3): lists that columns pick from with equal
// weights, and the weighted words of the comment grammar.

/// Lists of values, in the order in which random numbers select them.
package enum WordLists {
    package static let regions = ["AFRICA", "AMERICA", "ASIA", "EUROPE", "MIDDLE EAST"]

    /// Nations with the regions that they belong to.
    package static let nations: [(name: String, region: Int)] = [
        ("ALGERIA", 0), ("ARGENTINA", 1), ("BRAZIL", 1), ("CANADA", 1), ("EGYPT", 4), ("ETHIOPIA", 0), ("FRANCE", 3),
        ("GERMANY", 3), ("INDIA", 2), ("INDONESIA", 2), ("IRAN", 4), ("IRAQ", 4), ("JAPAN", 2), ("JORDAN", 4),
        ("KENYA", 0), ("MOROCCO", 0), ("MOZAMBIQUE", 0), ("PERU", 1), ("CHINA", 2), ("ROMANIA", 3),
        ("SAUDI ARABIA", 4), ("VIETNAM", 2), ("RUSSIA", 3), ("UNITED KINGDOM", 3), ("UNITED STATES", 1),
    ]

    package static let marketSegments = ["AUTOMOBILE", "BUILDING", "FURNITURE", "HOUSEHOLD", "MACHINERY"]
    package static let orderPriorities = ["1-URGENT", "2-HIGH", "3-MEDIUM", "4-NOT SPECIFIED", "5-LOW"]
    package static let shipInstructions = ["DELIVER IN PERSON", "COLLECT COD", "TAKE BACK RETURN", "NONE"]
    package static let shipModes = ["REG AIR", "AIR", "RAIL", "TRUCK", "MAIL", "FOB", "SHIP"]
    /// The first two are drawn for lines received in the past; the third is for the others.
    package static let returnFlags = ["R", "A", "N"]
    package static let lineStatuses = ["F", "O"]
    package static let orderStatuses = ["F", "O", "P"]

    package static let partTypes: [String] = {
        var types: [String] = []
        for size in ["STANDARD", "SMALL", "MEDIUM", "LARGE", "ECONOMY", "PROMO"] {
            for finish in ["ANODIZED", "BURNISHED", "PLATED", "POLISHED", "BRUSHED"] {
                for metal in ["TIN", "NICKEL", "BRASS", "STEEL", "COPPER"] {
                    types.append("\(size) \(finish) \(metal)")
                }
            }
        }
        return types
    }()

    package static let containers: [String] = {
        var containers: [String] = []
        for size in ["SM", "LG", "MED", "JUMBO", "WRAP"] {
            for shape in ["CASE", "BOX", "BAG", "JAR", "PACK", "PKG", "CAN", "DRUM"] {
                containers.append("\(size) \(shape)")
            }
        }
        return containers
    }()

    package static let manufacturers = (1...5).map { "Manufacturer#\($0)" }
    /// Brand m·5 + b of manufacturer m, both from 0.
    package static let brands = (1...5).flatMap { maker in (1...5).map { "Brand#\(maker)\($0)" } }

    package static let colors = words(
        """
        almond antique aquamarine azure beige bisque black blanched blue blush brown burlywood burnished chartreuse
        chiffon chocolate coral cornflower cornsilk cream cyan dark deep dim dodger drab firebrick floral forest
        frosted gainsboro ghost goldenrod green grey honeydew hot indian ivory khaki lace lavender lawn lemon light
        lime linen magenta maroon medium metallic midnight mint misty moccasin navajo navy olive orange orchid pale
        papaya peach peru pink plum powder puff purple red rose rosy royal saddle salmon sandy seashell sienna sky
        slate smoke snow spring steel tan thistle tomato turquoise violet wheat white yellow
        """)

    private static func words(_ text: String) -> [String] {
        text.split(whereSeparator: { $0 == " " || $0 == "\n" }).map(String.init)
    }
}

/// A word of the comment grammar and how often it comes, relative to the other words of its list.
struct WeightedWord: Sendable {
    let text: String
    let weight: Int
}

/// The words of the comment grammar by their part of speech. The spelling is the benchmark's.
enum GrammarWords {
    static let nouns = parse(
        """
        packages:40 requests:40 accounts:40 deposits:40 foxes:20 ideas:20 theodolites:20 pinto_beans:20
        instructions:20 dependencies:10 excuses:10 platelets:10 asymptotes:10 courts:5 dolphins:5 multipliers
        sauternes warthogs frets dinos attainments somas Tiresias patterns forges braids frays warhorses dugouts
        notornis epitaphs pearls tithes waters orbits gifts sheaves depths sentiments decoys realms pains grouches
        escapades hockey_players
        """)
    static let verbs = parse(
        """
        sleep:20 wake:20 are:20 cajole:20 haggle:20 nag:10 use:10 boost:10 affix:5 detect:5 integrate:5 maintain nod
        was lose sublate solve thrash promise engage hinder print x-ray breach eat grow impress mold poach serve run
        dazzle snooze doze unwind kindle play hang believe doubt
        """)
    static let adjectives = parse(
        """
        special:20 pending:20 unusual:20 express:20 furious sly careful blithe quick fluffy slow quiet ruthless thin
        close dogged daring brave stealthy permanent enticing idle busy regular:50 final:40 ironic:40 even:30 bold:20
        silent:10
        """)
    static let adverbs = parse(
        """
        sometimes always never furiously:50 slyly:50 carefully:50 blithely:40 quickly:30 fluffily:20 slowly quietly
        ruthlessly thinly closely doggedly daringly bravely stealthily permanently enticingly idly busily regularly
        finally ironically evenly boldly silently
        """)
    static let prepositions = parse(
        """
        about:50 above:50 according_to:50 across:50 after:50 against:40 along:40 alongside_of:30 among:30 around:20
        at:10 atop before behind beneath beside besides between beyond by despite during except for from in_place_of
        inside instead_of into near of on outside over past since through throughout to toward under until up upon
        whithout with within
        """)
    static let auxiliaries = parse(
        """
        do may might shall will would can could should ought_to must will_have_to shall_have_to could_have_to
        should_have_to must_have_to need_to try_to
        """)
    static let terminators = [
        WeightedWord(text: ".", weight: 50), WeightedWord(text: ";", weight: 1), WeightedWord(text: ":", weight: 1),
        WeightedWord(text: "?", weight: 1), WeightedWord(text: "!", weight: 1), WeightedWord(text: "--", weight: 1),
    ]

    /// Words with weights after a colon, 1 if there is none; an underscore stands for a blank.
    private static func parse(_ text: String) -> [WeightedWord] {
        text.split(whereSeparator: { $0 == " " || $0 == "\n" }).map { entry in
            let parts = entry.split(separator: ":")
            return WeightedWord(
                text: String(parts[0].map { $0 == "_" ? " " : $0 }), weight: parts.count > 1 ? Int(parts[1]) ?? 1 : 1)
        }
    }
}
