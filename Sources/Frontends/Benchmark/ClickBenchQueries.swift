// The 43 queries of ClickBench, in PostgreSQL's spelling.

/// Texts by their numbers, the first one being 0 as in ClickBench.
package enum ClickBenchQueries {
    package static var count: Int { all.count }

    package static func text(_ number: Int) -> String { all[number].text }

    /// The query with one answer only: rows that are equal in what it orders by are ordered by columns as well.
    package static func orderedText(_ number: Int) -> String {
        let query = all[number]
        guard let columns = query.order, let limit = query.text.range(ofLast: " LIMIT ") else { return query.text }
        let before = query.text[..<limit]
        return "\(before)\(before.contains(" ORDER BY ") ? ", " : " ORDER BY ")\(columns)\(query.text[limit...])"
    }

    private struct Query {
        var text: String
        /// Columns of the result by number that make its order whole; `nil` if it has no limit, or is ordered already.
        var order: String?
        init(_ text: String, order: String? = nil) {
            self.text = text
            self.order = order
        }
    }

    private static let july = "CounterID = 62 AND EventDate >= '2013-07-01' AND EventDate <= '2013-07-31'"

    private static let all: [Query] = [
        Query("SELECT COUNT(*) FROM hits"),
        Query("SELECT COUNT(*) FROM hits WHERE AdvEngineID <> 0"),
        Query("SELECT SUM(AdvEngineID), COUNT(*), AVG(ResolutionWidth) FROM hits"),
        Query("SELECT AVG(UserID) FROM hits"),
        Query("SELECT COUNT(DISTINCT UserID) FROM hits"),
        Query("SELECT COUNT(DISTINCT SearchPhrase) FROM hits"),
        Query("SELECT MIN(EventDate), MAX(EventDate) FROM hits"),
        Query(
            "SELECT AdvEngineID, COUNT(*) FROM hits WHERE AdvEngineID <> 0 GROUP BY AdvEngineID ORDER BY COUNT(*) DESC"),
        Query(
            "SELECT RegionID, COUNT(DISTINCT UserID) AS u FROM hits GROUP BY RegionID ORDER BY u DESC LIMIT 10",
            order: "1"),
        Query(
            """
            SELECT RegionID, SUM(AdvEngineID), COUNT(*) AS c, AVG(ResolutionWidth), COUNT(DISTINCT UserID) FROM hits \
            GROUP BY RegionID ORDER BY c DESC LIMIT 10
            """, order: "1"),
        Query(
            """
            SELECT MobilePhoneModel, COUNT(DISTINCT UserID) AS u FROM hits WHERE MobilePhoneModel <> '' \
            GROUP BY MobilePhoneModel ORDER BY u DESC LIMIT 10
            """, order: "1"),
        Query(
            """
            SELECT MobilePhone, MobilePhoneModel, COUNT(DISTINCT UserID) AS u FROM hits WHERE MobilePhoneModel <> '' \
            GROUP BY MobilePhone, MobilePhoneModel ORDER BY u DESC LIMIT 10
            """, order: "1, 2"),
        Query(
            """
            SELECT SearchPhrase, COUNT(*) AS c FROM hits WHERE SearchPhrase <> '' GROUP BY SearchPhrase \
            ORDER BY c DESC LIMIT 10
            """, order: "1"),
        Query(
            """
            SELECT SearchPhrase, COUNT(DISTINCT UserID) AS u FROM hits WHERE SearchPhrase <> '' GROUP BY SearchPhrase \
            ORDER BY u DESC LIMIT 10
            """, order: "1"),
        Query(
            """
            SELECT SearchEngineID, SearchPhrase, COUNT(*) AS c FROM hits WHERE SearchPhrase <> '' \
            GROUP BY SearchEngineID, SearchPhrase ORDER BY c DESC LIMIT 10
            """, order: "1, 2"),
        Query("SELECT UserID, COUNT(*) FROM hits GROUP BY UserID ORDER BY COUNT(*) DESC LIMIT 10", order: "1"),
        Query(
            """
            SELECT UserID, SearchPhrase, COUNT(*) FROM hits GROUP BY UserID, SearchPhrase ORDER BY COUNT(*) DESC \
            LIMIT 10
            """, order: "1, 2"),
        Query("SELECT UserID, SearchPhrase, COUNT(*) FROM hits GROUP BY UserID, SearchPhrase LIMIT 10", order: "1, 2"),
        Query(
            """
            SELECT UserID, extract(minute FROM EventTime) AS m, SearchPhrase, COUNT(*) FROM hits \
            GROUP BY UserID, m, SearchPhrase ORDER BY COUNT(*) DESC LIMIT 10
            """, order: "1, 2, 3"),
        Query("SELECT UserID FROM hits WHERE UserID = 435090932899640449"),
        Query("SELECT COUNT(*) FROM hits WHERE URL LIKE '%google%'"),
        Query(
            """
            SELECT SearchPhrase, MIN(URL), COUNT(*) AS c FROM hits WHERE URL LIKE '%google%' AND SearchPhrase <> '' \
            GROUP BY SearchPhrase ORDER BY c DESC LIMIT 10
            """, order: "1"),
        Query(
            """
            SELECT SearchPhrase, MIN(URL), MIN(Title), COUNT(*) AS c, COUNT(DISTINCT UserID) FROM hits \
            WHERE Title LIKE '%Google%' AND URL NOT LIKE '%.google.%' AND SearchPhrase <> '' GROUP BY SearchPhrase \
            ORDER BY c DESC LIMIT 10
            """, order: "1"),
        Query("SELECT * FROM hits WHERE URL LIKE '%google%' ORDER BY EventTime LIMIT 10", order: "1"),
        Query("SELECT SearchPhrase FROM hits WHERE SearchPhrase <> '' ORDER BY EventTime LIMIT 10", order: "1"),
        Query("SELECT SearchPhrase FROM hits WHERE SearchPhrase <> '' ORDER BY SearchPhrase LIMIT 10"),
        Query("SELECT SearchPhrase FROM hits WHERE SearchPhrase <> '' ORDER BY EventTime, SearchPhrase LIMIT 10"),
        Query(
            """
            SELECT CounterID, AVG(length(URL)) AS l, COUNT(*) AS c FROM hits WHERE URL <> '' GROUP BY CounterID \
            HAVING COUNT(*) > 100000 ORDER BY l DESC LIMIT 25
            """, order: "1"),
        Query(
            #"""
            SELECT REGEXP_REPLACE(Referer, '^https?://(?:www\.)?([^/]+)/.*$', '\1') AS k, AVG(length(Referer)) AS l, \#
            COUNT(*) AS c, MIN(Referer) FROM hits WHERE Referer <> '' GROUP BY k HAVING COUNT(*) > 100000 \#
            ORDER BY l DESC LIMIT 25
            """#, order: "1"),
        Query(
            "SELECT SUM(ResolutionWidth), "
                + (1..<90).map { "SUM(ResolutionWidth + \($0))" }.joined(separator: ", ") + " FROM hits"),
        Query(
            """
            SELECT SearchEngineID, ClientIP, COUNT(*) AS c, SUM(IsRefresh), AVG(ResolutionWidth) FROM hits \
            WHERE SearchPhrase <> '' GROUP BY SearchEngineID, ClientIP ORDER BY c DESC LIMIT 10
            """, order: "1, 2"),
        Query(
            """
            SELECT WatchID, ClientIP, COUNT(*) AS c, SUM(IsRefresh), AVG(ResolutionWidth) FROM hits \
            WHERE SearchPhrase <> '' GROUP BY WatchID, ClientIP ORDER BY c DESC LIMIT 10
            """, order: "1, 2"),
        Query(
            """
            SELECT WatchID, ClientIP, COUNT(*) AS c, SUM(IsRefresh), AVG(ResolutionWidth) FROM hits \
            GROUP BY WatchID, ClientIP ORDER BY c DESC LIMIT 10
            """, order: "1, 2"),
        Query("SELECT URL, COUNT(*) AS c FROM hits GROUP BY URL ORDER BY c DESC LIMIT 10", order: "1"),
        Query("SELECT 1, URL, COUNT(*) AS c FROM hits GROUP BY 1, URL ORDER BY c DESC LIMIT 10", order: "2"),
        Query(
            """
            SELECT ClientIP, ClientIP - 1, ClientIP - 2, ClientIP - 3, COUNT(*) AS c FROM hits \
            GROUP BY ClientIP, ClientIP - 1, ClientIP - 2, ClientIP - 3 ORDER BY c DESC LIMIT 10
            """, order: "1"),
        Query(
            """
            SELECT URL, COUNT(*) AS PageViews FROM hits WHERE \(july) AND DontCountHits = 0 AND IsRefresh = 0 \
            AND URL <> '' GROUP BY URL ORDER BY PageViews DESC LIMIT 10
            """, order: "1"),
        Query(
            """
            SELECT Title, COUNT(*) AS PageViews FROM hits WHERE \(july) AND DontCountHits = 0 AND IsRefresh = 0 \
            AND Title <> '' GROUP BY Title ORDER BY PageViews DESC LIMIT 10
            """, order: "1"),
        Query(
            """
            SELECT URL, COUNT(*) AS PageViews FROM hits WHERE \(july) AND IsRefresh = 0 AND IsLink <> 0 \
            AND IsDownload = 0 GROUP BY URL ORDER BY PageViews DESC LIMIT 10 OFFSET 1000
            """, order: "1"),
        Query(
            """
            SELECT TraficSourceID, SearchEngineID, AdvEngineID, CASE WHEN (SearchEngineID = 0 AND AdvEngineID = 0) \
            THEN Referer ELSE '' END AS Src, URL AS Dst, COUNT(*) AS PageViews FROM hits WHERE \(july) \
            AND IsRefresh = 0 GROUP BY TraficSourceID, SearchEngineID, AdvEngineID, Src, Dst ORDER BY PageViews DESC \
            LIMIT 10 OFFSET 1000
            """, order: "1, 2, 3, 4, 5"),
        Query(
            """
            SELECT URLHash, EventDate, COUNT(*) AS PageViews FROM hits WHERE \(july) AND IsRefresh = 0 \
            AND TraficSourceID IN (-1, 6) AND RefererHash = 3594120000172545465 GROUP BY URLHash, EventDate \
            ORDER BY PageViews DESC LIMIT 10 OFFSET 100
            """, order: "1, 2"),
        Query(
            """
            SELECT WindowClientWidth, WindowClientHeight, COUNT(*) AS PageViews FROM hits WHERE \(july) \
            AND IsRefresh = 0 AND DontCountHits = 0 AND URLHash = 2868770270353813622 \
            GROUP BY WindowClientWidth, WindowClientHeight ORDER BY PageViews DESC LIMIT 10 OFFSET 10000
            """, order: "1, 2"),
        Query(
            """
            SELECT DATE_TRUNC('minute', EventTime) AS M, COUNT(*) AS PageViews FROM hits WHERE CounterID = 62 \
            AND EventDate >= '2013-07-14' AND EventDate <= '2013-07-15' AND IsRefresh = 0 AND DontCountHits = 0 \
            GROUP BY DATE_TRUNC('minute', EventTime) ORDER BY DATE_TRUNC('minute', EventTime) LIMIT 10 OFFSET 1000
            """),
    ]
}

extension String {
    /// Where the last occurrence of a piece begins.
    fileprivate func range(ofLast piece: String) -> Index? {
        var position = endIndex
        while position > startIndex {
            position = index(before: position)
            if self[position...].hasPrefix(piece) { return position }
        }
        return nil
    }
}
