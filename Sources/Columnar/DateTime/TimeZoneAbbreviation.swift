// Abbreviations of time zones that dates may carry.

/// What an abbreviation means: the same offset always, or what a zone made of it at the time.
package enum TimeZoneAbbreviation: Sendable {
    /// Seconds east of Greenwich.
    case fixed(Int)
    case dynamic(TimeZoneData)

    /// The meaning of an abbreviation in any case; `nil` if it is none.
    package static func named(_ name: String) -> TimeZoneAbbreviation? {
        guard name.utf8.count <= 6 else { return nil }
        let key = name.lowercased()
        if let seconds = fixed[key] { return .fixed(seconds) }
        return dynamic[key].flatMap { TimeZoneData.named($0) }.map { .dynamic($0) }
    }

    private static func table<Value>(_ groups: [(Value, String)]) -> [String: Value] {
        var result: [String: Value] = [:]
        for (value, names) in groups {
            for name in names.split(separator: " ") { result[String(name)] = value }
        }
        return result
    }

    private static let fixed: [String: Int] = table([
        (-36_000, "hst taht"),
        (-34_200, "mart"),
        (-32_400, "akst gamt"),
        (-28_800, "akdt pst"),
        (-25_200, "mst pdt"),
        (-21_600, "cst galt mdt"),
        (-18_000, "act cdt cot est pet"),
        (-14_400, "amt ast bot edt"),
        (-12_600, "nft nst"),
        (-10_800, "adt bra brt clst gft pmst pyst uyt wgt"),
        (-9_000, "ndt"),
        (-7_200, "brst fnt pmdt uyst wgst"),
        (-3_600, "azot egt fnst"),
        (0, "azost egst gmt uct ut utc wet z zulu"),
        (3_600, "bst cet met mez wat wetdst"),
        (7_200, "bdst cest cetdst eet ist mest mesz metdst sast"),
        (10_800, "eat eest eetdst fet idt"),
        (12_600, "irt"),
        (14_400, "msd mut ret sct"),
        (16_200, "aft"),
        (18_000, "must mvt pkt tft tjt uzt"),
        (20_700, "npt"),
        (21_600, "almt bdt btt kgst pkst uzst xjt yekst"),
        (23_400, "mmt"),
        (25_200, "almst cxt ict wast"),
        (28_800, "awst bnt bort cct hkt myt pht wadt"),
        (31_500, "acwst"),
        (32_400, "awsst jayt jst kst pwt ulast wdt"),
        (34_200, "acst cast"),
        (36_000, "aest chut ddut kdt ligt mpt pgt trut yapt"),
        (37_800, "acdt acsst cadt lhst sadt"),
        (39_600, "aedt aesst pont vut"),
        (43_200, "fjt gilt mht nzst nzt tvt wakt wft"),
        (45_900, "chast"),
        (46_800, "fjst nzdt tot"),
        (49_500, "chadt"),
    ])

    /// Abbreviations whose offset has changed over the years.
    private static let dynamic: [String: String] = table([
        ("America/Argentina/Buenos_Aires", "arst art"),
        ("America/Asuncion", "pyt"),
        ("America/Caracas", "vet"),
        ("America/Guyana", "gyt"),
        ("America/Santiago", "clt"),
        ("Antarctica/Davis", "davt"),
        ("Antarctica/Mawson", "mawt"),
        ("Asia/Anadyr", "anast anat"),
        ("Asia/Ashgabat", "tmt"),
        ("Asia/Baku", "azst azt"),
        ("Asia/Bishkek", "kgt"),
        ("Asia/Colombo", "lkt"),
        ("Asia/Irkutsk", "irkst irkt"),
        ("Asia/Kamchatka", "petst pett"),
        ("Asia/Krasnoyarsk", "krast krat"),
        ("Asia/Magadan", "magst magt"),
        ("Asia/Novosibirsk", "novst novt"),
        ("Asia/Omsk", "omsst omst"),
        ("Asia/Singapore", "sgt"),
        ("Asia/Tbilisi", "gest get"),
        ("Asia/Ulaanbaatar", "ulat"),
        ("Asia/Vladivostok", "vlast vlat"),
        ("Asia/Yakutsk", "yakst yakt"),
        ("Asia/Yekaterinburg", "yekt"),
        ("Asia/Yerevan", "amst"),
        ("Atlantic/Stanley", "fkst fkt"),
        ("Australia/Lord_Howe", "lhdt"),
        ("Europe/Moscow", "msk"),
        ("Europe/Volgograd", "volt"),
        ("Indian/Chagos", "iot"),
        ("Pacific/Easter", "easst east"),
        ("Pacific/Fakaofo", "tkt"),
        ("Pacific/Kiritimati", "lint"),
        ("Pacific/Kosrae", "kost"),
        ("Pacific/Niue", "nut"),
        ("Pacific/Rarotonga", "ckt"),
    ])
}
