// What joins know of their keys, as conditions that the server looks up: lists of values and bitmaps.

import Columnar
import Storage

/// The conditions of one scan, made once for all of its splits. Confined to the driver that reads them.
final class MemberConditions {
    private var known: [(words: UnsafePointer<UInt64>, text: String?)] = []

    func text(_ members: ScanMembers, _ writer: PredicateText) -> String? {
        if let found = known.first(where: { $0.words == members.words }) { return found.text }
        let text = writer.condition(members)
        known.append((members.words, text))
        return text
    }
}

extension PredicateText {
    /// Members among all values between the least and the greatest: where there are more, most rows would come anyway.
    private static let shareMax = 0.5
    /// What a server parses in a few milliseconds.
    private static let byteCountMax = 1 << 20

    /// That a column has one of the values that a join has found. `nil` where the server would find out little by it, or the
    /// text would be long beside what is read.
    fileprivate func condition(_ members: ScanMembers) -> String? {
        guard let column = column(members.position), column.type?.type == members.type,
            let type = Self.integerName(members.type)
        else { return nil }
        let count = members.count
        guard Double(count) < Self.shareMax * Double(members.span + 1) else { return nil }
        let name = column.text
        let (first, last) = (members.minimum, members.minimum &+ Int64(members.span))
        // The server looks lists up by hash from 14 on; before, it tries the values one after the other. Of each value in a list
        // its planner estimates how many rows have it, which takes longer than a table is read if there are many.
        let isHashed = table.serverVersion >= 140_000
        if count <= (isHashed ? Self.listMaximum : 100) {
            var list = ""
            members.forEach { list += list.isEmpty ? "\($0)" : ",\($0)" }
            return "\(name) = ANY ('{\(list)}'::\(type)[])"
        }
        // Six bits a character.
        guard members.span / 6 <= UInt64(Self.byteCountMax) else { return nil }
        // The server too counts bits from the lowest of the first byte.
        let bitmap = Self.base64(UnsafeRawPointer(members.words), count: (Int(members.span / 64) + 1) * 8)
        let place = "\(name)::int8 - \(first)"
        return "CASE WHEN \(name) BETWEEN \(first) AND \(last) THEN get_bit(decode('\(bitmap)', 'base64'), "
            + (isHashed ? place : "(\(place))::int4") + ") = 1 ELSE FALSE END"
    }

    private static func integerName(_ type: DataType) -> String? {
        switch type {
        case .int16: "int2"
        case .int32: "int4"
        case .int64: "int8"
        default: nil
        }
    }

    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    private static func base64(_ bytes: UnsafeRawPointer, count: Int) -> String {
        String(unsafeUninitializedCapacity: (count + 2) / 3 * 4) { text in
            var at = 0
            for start in stride(from: 0, to: count, by: 3) {
                var group: UInt32 = 0
                for index in start..<start + 3 {
                    group = group << 8
                    if index < count { group |= UInt32(bytes.load(fromByteOffset: index, as: UInt8.self)) }
                }
                for place in 0..<4 {
                    text[at] =
                        start + place > count
                        ? UInt8(ascii: "=") : digits[Int(group >> UInt32(18 - 6 * place)) & 63]
                    at += 1
                }
            }
            return at
        }
    }
}
