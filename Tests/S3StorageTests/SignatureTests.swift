// Signatures, dates, retries, patterns, XML: the parts that need no server.

import Diagnostics
import EngineConfiguration
import FileFormats
import Testing

@testable import S3Storage

struct SignatureTests {
    /// The key pair, time and region of the example that the algorithm's specification works through.
    private let credentials = Credentials(
        accessKey: "AKIDEXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", sessionToken: nil)

    private func sign(_ request: SignableRequest) -> String {
        let text = SignatureV4.authorization(
            request, credentials: credentials, region: "us-east-1", service: "service",
            time: SigningTime(stamp: "20150830T123600Z"))
        return String(text.suffix(64))
    }

    private let empty = Digest.hexadecimal(Digest.sha256(""))

    @Test func knownSignatures() {
        #expect(empty == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        var request = SignableRequest(
            method: "GET", path: "/", query: [],
            headers: [("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z")], payloadDigest: empty)
        #expect(sign(request) == "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31")
        request.query = [("Param2", "value2"), ("Param1", "value1")]
        #expect(sign(request) == "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500")
        request.query = []
        request.method = "POST"
        #expect(sign(request) == "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b")
    }

    @Test func canonicalForm() {
        let request = SignableRequest(
            method: "GET", path: "/a%20b/c", query: [("z", "1 2"), ("a/b", "~")],
            headers: [("x-amz-date", "d"), ("host", "  h   i ")], payloadDigest: "p")
        #expect(request.canonicalText == "GET\n/a%20b/c\na%2Fb=~&z=1%202\nhost:h i\nx-amz-date:d\n\nhost;x-amz-date\np")
        #expect(PercentEncoding.encode("ä/b c+~", keepsSlash: true) == "%C3%A4/b%20c%2B~")
        #expect(PercentEncoding.decode("%C3%A4/b%20c%2B~%zz%") == "ä/b c+~%zz%")
    }

    @Test func times() {
        for (seconds, stamp) in [
            (0, "19700101T000000Z"), (951_782_399, "20000228T235959Z"), (951_782_400, "20000229T000000Z"),
            (1_440_938_160, "20150830T123600Z"), (4_102_444_799, "20991231T235959Z"),
        ] { #expect(SigningTime(seconds: seconds).stamp == stamp) }
    }

    @Test func retries() {
        var budget = RetryBudget()
        var retry = RetryInstance(RetryInstance.Limits(attemptMax: 3, deadline: 10_000_000_000), start: 0)
        retry.noteAttempt()
        #expect(retry.decide(.final, now: 0, chance: 0.5, advised: nil, budget: &budget) == .giveUp)
        #expect(retry.decide(.transient, now: 0, chance: 0.5, advised: nil, budget: &budget) == .again(at: 50_000_000))
        // A server that says when is believed.
        #expect(
            retry.decide(.throttled, now: 5, chance: 0, advised: 2_000_000_000, budget: &budget)
                == .again(at: 2_000_000_005))
        retry.noteAttempt()
        #expect(
            retry.decide(.throttled, now: 0, chance: 0.99, advised: nil, budget: &budget) == .again(at: 990_000_000))
        #expect(retry.decide(.transient, now: 9_990_000_000, chance: 1, advised: nil, budget: &budget) == .giveUp)
        retry.noteAttempt()
        #expect(retry.decide(.transient, now: 0, chance: 0.5, advised: nil, budget: &budget) == .giveUp)
        // When everything fails, the retries of all requests run out together.
        var count = 0
        let fresh = RetryInstance(RetryInstance.Limits(), start: 0)
        while fresh.decide(.transient, now: 0, chance: 0.5, advised: nil, budget: &budget) != .giveUp { count += 1 }
        #expect(count == 97)
        for _ in 0..<5 { budget.noteSuccess() }
        #expect(fresh.decide(.transient, now: 0, chance: 0.5, advised: nil, budget: &budget) != .giveUp)
    }

    @Test func patterns() {
        for (pattern, yes, no) in [
            ("a/*.parquet", ["a/b.parquet", "a/.parquet"], ["a/b/c.parquet", "a/b.csv", "b.parquet"]),
            ("a/**/x", ["a/x", "a/b/x", "a/b/c/x"], ["a/bx", "x"]),
            ("a/**", ["a/x", "a/b/c"], ["b/x"]),
            ("p[0-3]?", ["p0x", "p3z"], ["p4x", "p0", "p0/"]),
            ("p[!ab]", ["pc"], ["pa", "pb", "p/"]),
        ] as [(String, [String], [String])] {
            for key in yes { #expect(KeyPattern(pattern).matches(key), "\(pattern) \(key)") }
            for key in no { #expect(!KeyPattern(pattern).matches(key), "\(pattern) \(key)") }
        }
    }

    @Test func documents() {
        let text = """
            <?xml version="1.0"?><!-- a --><Error a="b"><Code>SlowDown</Code><Message>a &lt;b&gt; &amp;#x41; &#65;</Message><X/></Error>
            """
        let error = ErrorDocument(Array(text.utf8))
        #expect(error?.code == "SlowDown")
        #expect(error?.message == "a <b> &#x41; A")
        for broken in [
            "", "text", "<Error>", "<Error><Code>x</Error", "<", "</Error>", String(repeating: "<a>", count: 99),
        ] {
            #expect(ErrorDocument(Array(broken.utf8)) == nil, "\(broken)")
        }
    }

    @Test func manifests() throws {
        let table = ObjectPath(bucket: "b", key: "t")
        let path = TableManifest.path(table, number: 7)
        #expect(path.description == "s3://b/t/_manifest/999999999992")
        #expect(TableManifest.path(table, number: 8).key < path.key)
        let manifest = TableManifest(
            number: 7, writer: "w",
            entries: [.init(name: "_data/ä b%\n.parquet", byteCount: 5, rowCount: 0, version: "http://h \"e%20\"")])
        #expect(try TableManifest(text: manifest.text, path: path) == manifest)
        // Whatever is missing is noticed.
        for count in 0..<manifest.text.count {
            #expect(throws: QueryError.self) { try TableManifest(text: Array(manifest.text.prefix(count)), path: path) }
        }
        #expect(throws: QueryError.self) { try TableManifest(text: Array("martlet table 2\n".utf8), path: path) }
    }

    @Test func credentialsComeFromWhereTheyAreSaidTo() throws {
        let directory = try Scratch()
        defer { directory.remove() }
        try directory.write(
            "credentials",
            "[default]\naws_access_key_id = A\naws_secret_access_key=B=\n# x\n[other]\naws_access_key_id=C\n"
                + "aws_secret_access_key = D\naws_session_token = T\n")
        try directory.write("config", "[profile other]\nregion = eu-west-9\n[default]\nregion=us-west-9\n")
        try directory.write("secret", "from a file\n")
        let files = [
            "AWS_SHARED_CREDENTIALS_FILE": directory.path + "/credentials",
            "AWS_CONFIG_FILE": directory.path + "/config",
        ]
        func options(_ values: [String: String], _ environment: [String: String]) throws -> S3Options {
            try S3Options(
                ConfigurationSection(name: "s", values: values), environment: files.merging(environment) { $1 })
        }
        let byDefault = try options([:], [:])
        #expect(byDefault.credentials.credentials == Credentials(accessKey: "A", secretKey: "B=", sessionToken: nil))
        #expect(byDefault.region == "us-west-9")
        #expect(byDefault.endpoint.text == "https://s3.us-west-9.amazonaws.com")
        let other = try options(["profile": "other"], [:])
        #expect(other.credentials.credentials == Credentials(accessKey: "C", secretKey: "D", sessionToken: "T"))
        #expect(other.region == "eu-west-9")
        let variables = ["AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "F", "AWS_REGION": "r"]
        #expect(try options([:], variables).credentials.credentials?.accessKey == "E")
        #expect(try options(["credentials": "profile"], variables).credentials.credentials?.accessKey == "A")
        #expect(try options(["credentials": "none"], variables).credentials.credentials == nil)
        let keys = ["access-key": "env:NAME", "secret-key": "file:\(directory.path)/secret"]
        #expect(
            try options(keys, ["NAME": "G"]).credentials.credentials
                == Credentials(accessKey: "G", secretKey: "from a file", sessionToken: nil))
        for values in [
            ["access-key": "env:NAME", "secret-key": "x"], ["access-key": "x"], ["secret-key": "x"],
            ["credentials": "environment"], ["profile": "nobody", "credentials": "profile"], ["endpoint": "127.0.0.1"],
            ["root": "/tmp"], ["colour": "red"], ["format": "doc"], ["part-size": "much"],
        ] { #expect(throws: QueryError.self, "\(values)") { try options(values, [:]) } }
        #expect("\(try options([:], variables))".contains("F\"") == false)
        for key in S3Options.keys { try key.check(key.defaultValue, origin: .byDefault) }
    }
}
