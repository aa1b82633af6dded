"""Generated tables of the form that the Join Order Benchmark reads: titles, people, companies, and what links them.

The benchmark's own data are the Internet Movie Database of 2013. Here rows are a function of their number and of
DuckDB's hash, skewed as the original is, but less: joins of seven links of one title stay small. Texts that the queries look for occur often
enough that most queries find rows at scale 1, with 20,000 titles.
"""

from suite_support.randomness import expanded

TITLES_AT_SCALE_1 = 20_000

KINDS = ["movie", "tv series", "tv movie", "video movie", "tv mini series", "video game", "episode"]
COMPANY_TYPES = ["distributors", "production companies", "special effects companies", "miscellaneous companies"]
CAST_TYPES = ["cast", "crew", "complete", "complete+verified"]
LINKS = ["follows", "followed by", "remake of", "remade as", "references", "referenced in", "spoofs", "spoofed in",
         "features", "featured in", "spin off from", "spin off", "version of", "similar to", "edited into",
         "edited from", "alternate language version of", "unknown link", "sequel"]
ROLES = ["actor", "actress", "producer", "writer", "cinematographer", "composer", "costume designer", "director",
         "editor", "miscellaneous crew", "production designer", "guest"]
INFO = ["release dates", "genres", "countries", "budget", "rating", "votes", "top 250 rank", "bottom 10 rank",
        "mini biography", "trivia", "height", "runtimes", "color info", "languages", "sound mix", "certificates",
        "quotes", "plot", "tech info", "locations"]
KEYWORDS = ["sequel", "character-name-in-title", "murder", "superhero", "marvel-cinematic-universe", "violence",
            "blood", "based-on-comic", "hero", "martial-arts", "computer-animation", "fight", "revenge",
            "based-on-novel", "gore", "death", "female-nudity", "hospital", "marvel-comics", "tv-special",
            "second-part", "murder-in-title", "hand-to-hand-combat", "computer-animated-movie", "nerd", "loner",
            "alienation", "dignity", "10,000-mile-club", "magnet", "web", "claw", "laser"]
STEMS = ["Champion", "Murder in Town", "Money Talks", "Kung Fu Panda", "Shrek 2", "Saw", "Vampire Night",
         "Freddy versus Jason", "Dragon Ball Z: Return", "One Piece", "Loser Takes All", "Birdemic", "Scary Movie",
         "The Mord Case", "Iron Man", "The Avengers", "A Quiet Day", "murder most foul", "Winter Journey"]
GIVEN = ["Angela", "Robert", "Tim", "Bert", "Anna", "Yolanda", "Yusuf", "Xaver", "Zoe", "Alan", "Bruce", "Maria",
         "Angel", "Dieter", "Sophie"]
FAMILY = ["Downey Jr.", "Ang", "Brown", "Andersson", "Burton", "Yuen", "Timber", "Bertolucci", "Zimmer", "Xu",
          "Angelou", "Smith", "Daniels"]
CHARACTERS = ["Tony Stark", "Iron Man", "Queen", "Sherlock Holmes", "The Man with the Hat", "Spider-Man", "Himself",
              "Woman in Crowd", "batman", "Clerk"]
COMPANIES = ["Warner Bros. Pictures", "Universal Film", "20th Century Fox", "Twentieth Century Fox Home",
             "Lionsgate Home", "DreamWorks Animation", "YouTube", "Polyband Film", "Toho", "Studio Nord"]
COUNTRIES = ["[us]", "[de]", "[jp]", "[ru]", "[nl]", "[pl]", "[sm]", "[fr]", "[gb]"]
COMPANY_NOTES = ["(2006) (USA) (theatrical)", "(2007) (worldwide) (TV)", "(co-production)", "(presents)",
                 "(1994) (USA) (VHS)", "(2008) (Japan) (Blu-ray)", "(2007) (USA) (Blu-ray)", "(200X) (France)",
                 "(as Metro-Goldwyn-Mayer Pictures) (presents)", "(2006) (worldwide) (VHS)",
                 "(2007) (USA) (worldwide) (theatrical)"]
CAST_NOTES = ["(voice)", "(voice: English version)", "(voice) (uncredited)", "(voice: Japanese version)",
              "(uncredited)", "(producer)", "(executive producer)", "(writer)", "(head writer)", "(written by)",
              "(story)", "(story editor)"]
GENRES = ["Drama", "Horror", "Action", "Thriller", "Crime", "Sci-Fi", "War", "Western", "Family", "Comedy"]
NATIONS = ["USA", "Germany", "Sweden", "Norway", "Denmark", "Bulgaria", "Japan", "France"]
LANGUAGES = ["English", "German", "Swedish", "Danish", "Norwegian", "American", "Japanese"]


def quoted(value):
    return "'" + value.replace("'", "''") + "'"


def skewed(salt, count, power=3):
    return f"floor(pow(u({salt}), {power}) * {count})::bigint"


def pick(values, index):
    return f"([{', '.join(quoted(value) for value in values)}])[1 + ({index})]"


def any_of(values, salt, power=1.5):
    return pick(values, skewed(salt, len(values), power))


def listed(column, values):
    rows = ", ".join(f"({index + 1}, {quoted(value)})" for index, value in enumerate(values))
    return f"SELECT id::integer AS id, value AS {column} FROM (VALUES {rows}) AS v (id, value)"


def generated(rows, items):
    return f"SELECT (n + 1)::integer AS id, {', '.join(items)} FROM (SELECT unnest(range({rows})) AS n)"


def optional(salt, share, value):
    return f"CASE WHEN u({salt}) < {share} THEN {value} END"


def code(salt):
    return f"chr(65 + (u({salt}) * 25)::int) || (100 + (u({salt + 1}) * 500)::int)"


def movie_info(info_type):
    """A text that fits its kind of information."""
    day = "1 + (u(60) * 27)::int"
    month = any_of(["January", "March", "June", "August", "November"], 61, 1)
    year = "(1995 + (u(62) * 20)::int)"
    return f"""CASE {info_type}
        WHEN 1 THEN {any_of(NATIONS, 63)} || ': ' || {day} || ' ' || {month} || ' ' || {year}
        WHEN 2 THEN {any_of(GENRES, 64)}
        WHEN 3 THEN {any_of(NATIONS, 65)}
        WHEN 4 THEN '$' || (u(66) * 100000000)::bigint
        WHEN 14 THEN {any_of(LANGUAGES, 67)}
        ELSE 'info ' || {skewed(68, 1000)} END"""


def tables(scale):
    titles = max(50, round(TITLES_AT_SCALE_1 * scale))
    people, companies, characters, keywords = titles * 2, max(20, titles // 8), titles, max(60, titles // 5)
    title = skewed(1, titles, 1.15) + " + 1"
    person = skewed(2, people, 1.15) + " + 1"
    name = f"{any_of(FAMILY, 10)} || ', ' || {any_of(GIVEN, 11)} || ' ' || {skewed(12, 500)}"
    some_title = f"{any_of(STEMS, 13)} || CASE WHEN u(14) < 0.7 THEN ' ' || {skewed(15, 2000)} ELSE '' END"
    md5 = "md5(n::text) AS md5sum"
    return {
        "kind_type": listed("kind", KINDS),
        "company_type": listed("kind", COMPANY_TYPES),
        "comp_cast_type": listed("kind", CAST_TYPES),
        "link_type": listed("link", LINKS),
        "role_type": listed("role", ROLES),
        "info_type": listed("info", INFO),
        "keyword": generated(keywords, [
            f"CASE WHEN n < {len(KEYWORDS)} THEN {pick(KEYWORDS, 'n')} ELSE 'keyword-' || n END AS keyword",
            f"{code(20)} AS phonetic_code"]),
        "company_name": generated(companies, [
            f"{any_of(COMPANIES, 21)} || CASE WHEN u(22) < 0.6 THEN ' ' || n ELSE '' END AS name",
            f"{optional(23, 0.95, any_of(COUNTRIES, 24))} AS country_code", "NULL::integer AS imdb_id",
            f"{code(25)} AS name_pcode_nf", f"{code(27)} AS name_pcode_sf", md5]),
        "char_name": generated(characters, [
            f"{any_of(CHARACTERS, 30)} || CASE WHEN u(31) < 0.5 THEN ' ' || n ELSE '' END AS name",
            "NULL::varchar AS imdb_index", "NULL::integer AS imdb_id", f"{code(32)} AS name_pcode_nf",
            f"{optional(34, 0.8, code(35))} AS surname_pcode", md5]),
        "name": generated(people, [
            f"{name} AS name", f"{optional(16, 0.3, quoted('I'))} AS imdb_index", "NULL::integer AS imdb_id",
            f"{optional(17, 0.9, any_of(['m', 'f'], 18))} AS gender", f"{optional(19, 0.95, code(40))} AS name_pcode_cf",
            f"{code(42)} AS name_pcode_nf", f"{optional(44, 0.9, code(45))} AS surname_pcode", md5]),
        "aka_name": generated(people // 4, [
            f"({person})::integer AS person_id", f"{name} AS name", "NULL::varchar AS imdb_index",
            f"{code(40)} AS name_pcode_cf", f"{code(42)} AS name_pcode_nf", f"{code(45)} AS surname_pcode", md5]),
        "title": generated(titles, [
            f"{some_title} AS title", "NULL::varchar AS imdb_index", f"(1 + {skewed(50, len(KINDS), 2)})::integer AS kind_id",
            f"{optional(51, 0.95, '(2015 - ' + skewed(52, 80, 2) + ')')}::integer AS production_year",
            "NULL::integer AS imdb_id", f"{code(53)} AS phonetic_code",
            f"{optional(55, 0.3, skewed(56, titles))}::integer AS episode_of_id",
            f"{optional(55, 0.3, '1 + ' + skewed(57, 20))}::integer AS season_nr",
            f"{optional(55, 0.3, '1 + ' + skewed(58, 150))}::integer AS episode_nr", "NULL::varchar AS series_years", md5]),
        "aka_title": generated(titles // 5, [
            f"({title})::integer AS movie_id", f"{some_title} AS title", "NULL::varchar AS imdb_index",
            f"(1 + {skewed(50, len(KINDS))})::integer AS kind_id", "2000::integer AS production_year",
            f"{code(53)} AS phonetic_code", "NULL::integer AS episode_of_id", "NULL::integer AS season_nr",
            "NULL::integer AS episode_nr", f"{optional(59, 0.5, quoted('(USA)'))} AS note", md5]),
        "cast_info": generated(titles * 14, [
            f"({person})::integer AS person_id", f"({title})::integer AS movie_id",
            f"{optional(3, 0.7, skewed(4, characters) + ' + 1')}::integer AS person_role_id",
            f"{optional(5, 0.6, any_of(CAST_NOTES, 6))} AS note", f"{optional(7, 0.7, '1 + ' + skewed(8, 60))}::integer AS nr_order",
            f"(1 + {skewed(9, len(ROLES), 2)})::integer AS role_id"]),
        "complete_cast": generated(titles // 2, [
            f"({optional(3, 0.98, title)})::integer AS movie_id", "(1 + (u(4) < 0.3)::int)::integer AS subject_id",
            "(3 + (u(5) < 0.6)::int)::integer AS status_id"]),
        "movie_companies": generated(titles * 2, [
            f"({title})::integer AS movie_id", f"({skewed(3, companies, 1.5)} + 1)::integer AS company_id",
            f"(1 + {skewed(4, 4, 2)})::integer AS company_type_id", f"{optional(5, 0.7, any_of(COMPANY_NOTES, 6, 1))} AS note"]),
        "movie_keyword": generated(titles * 4, [
            f"({title})::integer AS movie_id", f"({skewed(3, keywords)} + 1)::integer AS keyword_id"]),
        "movie_link": generated(titles // 2, [
            f"({title})::integer AS movie_id", f"({skewed(3, titles, 1.15)} + 1)::integer AS linked_movie_id",
            f"(1 + {skewed(4, len(LINKS), 2)})::integer AS link_type_id"]),
        "movie_info": generated(titles * 8, [
            f"({title})::integer AS movie_id", f"(1 + {skewed(3, len(INFO), 2)})::integer AS info_type_id",
            f"{movie_info('(1 + ' + skewed(3, len(INFO), 2) + ')')} AS info",
            f"{optional(69, 0.4, any_of(['(internet)', '(limited)', '(premiere) (internet)'], 70))} AS note"]),
        "movie_info_idx": generated(titles * 2, [
            f"({title})::integer AS movie_id", "(5 + (u(3) * 3)::int)::integer AS info_type_id",
            "((1 + (u(4) * 8)::int) || '.' || (u(5) * 9)::int) AS info", "NULL::varchar AS note"]),
        "person_info": generated(people * 2, [
            f"({person})::integer AS person_id", f"(9 + {skewed(3, 3)})::integer AS info_type_id",
            f"'info ' || {skewed(4, 5000)} AS info", f"{optional(5, 0.6, any_of(['Volker Boehm', 'Anon'], 6))} AS note"]),
    }


def write(connection, directory, scale):
    for name, query in tables(scale).items():
        target = str(directory / f"{name}.parquet").replace("'", "''")
        # Rows of another table have other random numbers.
        salted = expanded(query, sum(map(ord, name)) * 1000)
        connection.execute(f"COPY ({salted}) TO '{target}' (FORMAT parquet)")
