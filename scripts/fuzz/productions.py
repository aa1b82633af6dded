"""The expressions: a type and a template each.

    {int4}          any expression of the type
    {int4<100}      one whose absolute value is at most 100
    {T}             any type; the same one within a template
    {N}, {I}, {S}   the same for numbers, integers, character types
    {'...¦...¦...'} one of the texts between the bars

A line is `type[<magnitude] [!] [~] template`. `!` may raise an error: it appears only where the query may fail, or in a
guarded branch. `~` marks what DuckDB spells or defines differently.
"""
import re

TEXT = r"""
bool ({T} {'=¦<>¦<¦<=¦>¦>='} {T})
bool ({T} {'=¦<>¦<¦<=¦>¦>='} {T})
bool ({T} IS {'NOT ¦'}DISTINCT FROM {T})
bool ({T} IS {'NOT ¦'}NULL)
bool ({bool} {'AND¦OR'} {bool})
bool ({bool} {'AND¦OR'} {bool})
bool (NOT {bool})
bool ({bool} IS {'NOT ¦'}{'TRUE¦FALSE¦UNKNOWN'})
bool ({T} {'NOT ¦'}BETWEEN {T} AND {T})
bool ({N} {'NOT ¦'}BETWEEN SYMMETRIC {N} AND {N})
bool ({T} {'NOT ¦'}IN ({T}, {T}))
bool ({T} {'NOT ¦'}IN ({T}, NULL, {T}, {T}))
bool ({S} {'NOT ¦'}{'LIKE¦ILIKE'} {'''a%''¦''%b%''¦''_b%''¦''%''¦''''¦''a\_b''¦''%o''¦''foo%bar''¦''日_'''})
bool ~ ({text} {'~¦~*¦!~¦!~*'} {'''^a''¦''b$''¦''[0-9]+''¦''^(a|b)+$''¦''o{2}''¦'''''})
bool ({text} SIMILAR TO {'''(a|b)%''¦''_''¦''[a-c]+''¦''foo(bar)?'''})
bool ({int2} {'=¦<¦>='} {int4})
bool ({int4} {'=¦<>¦<¦>='} {int8})
bool ({int4} {'=¦<¦>='} {num})
bool ({num} {'=¦<¦>='} {float8})
bool ({int8} {'=¦<¦>='} {float8})
bool ({float4} {'=¦<¦>='} {float8})
bool ({date} {'=¦<¦>='} {timestamp})
bool ({char} {'=¦<>¦<'} {text})
bool ({varchar} {'=¦<>¦<'} {text})
bool starts_with({text}, {text})
bool ({int4} = ANY ({int4s}::int4[]))
bool ({int4} {'<¦<>¦>='} ALL ({int4s}::int4[]))
bool ~ ({int4s} {'@>¦<@¦&&'} {int4s})
bool ~ ({texts} {'@>¦<@¦&&'} {texts})
bool ~ (({int4}, {text}) {'=¦<>¦<¦>='} ({int4}, {text}))
bool ({int4<1000000} + {int4<1000000} {'<¦>¦='} {int4})
bool ({text}::text || 'x' = {text} || 'x')
bool ({int4} {'=¦<¦>='} {'''7''¦''-5''¦'' 12 '''})
bool ({num} {'=¦<¦>='} {'''1.5''¦''0''¦''-2.25'''})
bool ({float8<100} {'=¦<¦>='} {'''1.5''¦''NaN''¦''1e1'''})
bool ({date} {'=¦<¦>='} {'''2020-01-01''¦''1999-12-31'''})
bool ({timestamp} {'<¦>='} {'''2020-01-01''¦''2020-01-10 12:00:00'''})
bool ({text} {'=¦<>¦<¦>='} {'''a''¦''foo''¦''b'''})
bool ({bool} = {'''t''¦''false''¦''no'''})
bool ({int4} {'NOT ¦'}IN (1, 2, 3, 5, 7, 10, 42, 100, -1))
bool ({text} {'NOT ¦'}IN ('a', 'b', 'foo', 'bar', ''))
bool ({int4} = ANY ('{1,2,NULL,42}'))
bool ({int4<100} {'<¦>'} {float8<100})
bool ({num<100} {'<¦=¦>='} {int8<100})
bool (({int4<100} + {num<100}) > {float8<100})
bool ({int4} IS DISTINCT FROM NULL)
bool (NULL {'=¦<¦<>'} {T})
bool ({bool} IS NOT DISTINCT FROM {bool})
bool (({bool} AND NULL) IS NULL)
bool (({bool} OR NULL) IS UNKNOWN)
bool ! {text}::bool
bool {int4}::bool
int2<100 ({int2<100} {'&¦|'} 63::int2)
int2<100 ({int2<100} % 7::int2)
int2<10000 ({int2<100} * {int2<100})
int2<200 ({int2<100} {'+¦-'} {int2<100})
int2 ! ({int2} {'+¦-¦*'} {int2})
int2 ! {int4}::int2
int2<100 ({int4<100})::int2
int2 abs({int2<10000})
int4<2000000 ({int4<1000000} {'+¦-'} {int4<1000000})
int4<200 ({int4<100} {'+¦-'} {int4<100})
int4<1000000 ({int4<1000} * {int4<1000})
int4<1000000 (- {int4<1000000})
int4<10 ({int4} % {'7¦10¦(-3)¦2'})
int4 ({int4} / {'7¦10¦(-3)¦2'})
int4<1000000 abs({int4<1000000})
int4<1 sign({num})::int4
int4 ({int4} {'&¦|'} {int4})
int4 ~ ({int4} # {int4})
int4 (~ {int4})
int4 ({int4<1000} << {'0¦1¦3¦5'})
int4 ({int4} >> {'0¦1¦3¦31'})
int4 ! ({int4} {'+¦-¦*¦/¦%'} {int4})
int4 ! ({int4} / {int4<100})
int4 ! {int8}::int4
int4 ! {text}::int4
int4 ! {num}::int4
int4 ! {float8}::int4
int4<100 {num<100}::int4
int4<100 {float8<100}::int4
int4<1 {bool}::int4
int4 {int2}::int4
int4<200 length({text})
int4<200 length({varchar})
int4<200 length({char})
int4<200 octet_length({text})
int4<200 ~ octet_length({bytea})
int4<200 char_length({S})
int4<200 bit_length({text})
int4<200 position({text} IN {text})
int4<200 strpos({text}, {text})
int4<2000000 ascii({text})
int4<9999 EXTRACT({'year¦month¦day¦dow¦doy¦week¦quarter¦isodow'} FROM {date})::int4
int4<9999 EXTRACT({'hour¦minute¦year¦month'} FROM {timestamp})::int4
int4<9999999 ({date} - {date})
int4<10 cardinality({int4s})
int4<10 ~ array_length({int4s}, 1)
int4<10 ~ array_position({texts}, {text})
int4 ~ ({int4s})[{'1¦2¦0¦(-1)¦5'}]
int4<10 num_nulls({T}, {T})
int4<100 gcd({int4<100}, {int4<100})
int4<10000 lcm({int4<100}, {int4<100})
int4<10 width_bucket({num<100}, 0, 100, 5)
int4 mod({int4}, 7)
int4 greatest({int4}, {int4}, {int4})
int4 least({int4}, {int2})
int4 coalesce({int2}, {int4})
int4 CASE WHEN {bool} THEN {int2} ELSE {int4} END
int8 CASE WHEN {bool} THEN {int4} ELSE {int8} END
int8 coalesce({int4}, {int8}, 0)
int8 greatest({int4}, {int8}, {int2})
num<100 CASE WHEN {bool} THEN {int4<100} ELSE {num<100} END
num<100 coalesce({num<100}, 0)
num<100 greatest({int4<100}, {num<100})
float8<100 CASE WHEN {bool} THEN {int4<100} ELSE {float8<100} END
float8 coalesce({num}, {float8})
int8 {int4}::int8
int8<100 {int4<100}::int8
int8<200 ({int8<100} {'+¦-'} {int4<100})
int8<1000000 ({int8<1000} * {int8<1000})
int8<2000000000 ({int4<1000000000}::int8 {'+¦-'} {int4<1000000000})
int8<4000000000000000000 ({int4}::int8 * ({int4<1000000}))
int8 ! ({int8} {'+¦-¦*'} {int8})
int8 ! ({int8} {'/¦%'} {int8})
int8 ({int8} {'/¦%'} {'7¦10¦1000¦(-3)'})
int8 ({int8} {'&¦|'} {int8})
int8 ! {text}::int8
int8<100 {num<100}::int8
int8 ! {float8}::int8
int8 ! abs({int8})
int8<120 factorial({'0¦1¦5'})::int8
num ({num<1000000} {'+¦-'} {num<1000000})
num<200 ({num<100} {'+¦-'} {num<100})
num<10000 ({num<100} * {num<100})
num<100 ({int4<100} + 0.50)
num<100 (- {num<100})
num<1000000 abs({num<1000000})
num<100 round({num<100}, {'0¦1¦2'})
num<100 round({num<100} / 3, 2)
num<100 trunc({num<100}, 1)
num<101 {'floor¦ceil¦trunc¦round'}({num<100})
num<100 ({num<100} % 7)
num<100 {int4<100}::numeric(12,2)
num<100 {int8<100}::numeric(20,2)
num {int4}::numeric(14,2)
num ! {text}::numeric(12,2)
num ! {float8}::numeric(12,2)
num ! ({num} / {num})
num ! ({num} % {num})
num<1 sign({num})
num ! sqrt({num<100})
num<101 mod({num<100}, 3.5)
num greatest({num}, {num})
num coalesce({num}, {int4<100})
float4 {int4<100}::float4
float4<200 ({float4<100} {'+¦-'} {float4<100})
float4 {float8<100}::float4
float4<100 (- {float4<100})
float8 ({float8<1000000} {'+¦-'} {float8<1000000})
float8<200 ({float8<100} {'+¦-'} {float8<100})
float8<10000 ({float8<100} * {float8<100})
float8<100 ({float8<100} / 4)
float8<100 ({int4<100} / 8.0::float8)
float8<100 (- {float8<100})
float8 abs({float8})
float8 {'floor¦ceil¦trunc¦round¦sign'}({float8})
float8 sqrt(abs({float8<1000000}))
float8<1 {'sin¦cos¦atan'}({float8<100})
float8 exp({float8<10})
float8 power({float8<100}, 2)
float8 {int4}::float8
float8 {int8}::float8
float8 {num}::float8
float8 {float4}::float8
float8 ! ({float8} {'+¦-¦*¦/'} {float8})
float8 ! ln({float8})
float8 ! sqrt({float8})
float8 ! {text}::float8
float8 ~ EXTRACT(epoch FROM {interval})::float8
float8 ~ EXTRACT(epoch FROM {timestamp})::float8
float8 ~ date_part({'''day''¦''hour''¦''second'''}, {interval})
text ({text} || {text})
text ({text} || {int4})
text ({S} || {S})
text {'upper¦lower¦reverse¦initcap'}({text})
text substr({text}, {'1¦2¦0¦(-1)'}, {'0¦1¦3¦10'})
text substring({text} FROM {'1¦2¦3'} FOR {'1¦4'})
text substring({text}, {int4<100})
text ~ substring({text} FROM {'''[a-z]+''¦''o(.)'''})
text replace({text}, {text}, {text})
text {'trim¦ltrim¦rtrim¦btrim'}({text})
text trim({'BOTH¦LEADING¦TRAILING'} {'''a''¦''x ''¦''o'''} FROM {text})
text lpad({text}, {'0¦3¦8'}, {'''*''¦''ab'''})
text rpad({text}, {'0¦3¦8'}, {'''*''¦''ab'''})
text ~ left({text}, {int4<100})
text ~ right({text}, {int4<100})
text repeat({text}, {int4<10})
text concat({text}, {int4}, {text})
text concat_ws({'''-''¦'',''¦NULL'}, {text}, {varchar}, {text})
text ~ concat({bool}, {date}, {num}, {char})
text ~ split_part({text}, {'''o''¦''b''¦''x'''}, {'1¦2¦(-1)'})
text md5({text})
text translate({text}, 'abc', 'xy')
text ~ overlay({text} PLACING 'ZZ' FROM 2 FOR 1)
text ~ regexp_replace({text}, {'''[aeiou]''¦''o+''¦''(.)b'''}, {'''*''¦''<\1>''¦'''''}, {'''g''¦'''''})
text ~ to_char({date}, {'''YYYY-MM-DD''¦''DD Mon YYYY''¦''Day''¦''IYYY-IW''¦''Q'''})
text ~ to_char({timestamp}, {'''HH24:MI:SS''¦''HH12:MI AM''¦''YYYYMMDD'''})
text ~ to_char({int4<10000}, {'''99999''¦''00000''¦''FM99999''¦''S9,999'''})
text ~ to_char({num<100}, {'''990.00''¦''FM990.9'''})
text ~ to_hex({int4})
text ~ quote_literal({text})
text ~ quote_ident({text})
text ~ format('%s-%s', {text}, {int4})
text ~ array_to_string({int4s}, ',', {'''*''¦NULL'})
text array_to_string({texts}, '-')
text {int4}::text
text {int8}::text
text {bool}::text
text {date}::text
text {timestamp}::text
text {char}::text
text {varchar}::text
text ~ {num}::text
text ~ {time}::text
text ~ {interval}::text
text ~ {bytea}::text
text {uuid}::text
text ~ {int4s}::text
text ~ ({texts})[{'1¦2¦0'}]
text ~ encode({bytea}, {'''hex''¦''base64'''})
text ~ coalesce({varchar}, {text})
text coalesce({text}, 'none')
text nullif({text}, 'a')
text CASE WHEN {bool} THEN 'x' ELSE {text} END
text CASE WHEN {bool} THEN {text} ELSE 'y' END
text greatest({text}, 'b', {varchar})
text CASE {int4<10} WHEN 1 THEN {text} WHEN 2 THEN {text} END
varchar {text}::varchar(3)
varchar {text}::varchar(40)
char {text}::char(5)
bytea ({bytea} || {bytea})
bytea ~ substring({bytea}, 1, 2)
date ({date} + {int4<100})
date ({date} - {int4<100})
date {timestamp}::date
date ! {text}::date
date ! make_date({int4<9999}, {int4<100}, {int4<100})
time {timestamp}::time
time ({time} + {interval})
timestamp {date}::timestamp
timestamp ({date} + {time})
timestamp ({timestamp} {'+¦-'} {'INTERVAL ''1 day''¦INTERVAL ''1 month''¦INTERVAL ''90 minutes'''})
timestamp date_trunc({'''hour''¦''day''¦''month''¦''year''¦''week''¦''quarter'''}, {timestamp})
timestamp ({timestamptz} AT TIME ZONE {'''UTC''¦''Europe/Berlin''¦''America/New_York'''})
timestamptz ({timestamp} AT TIME ZONE {'''UTC''¦''Europe/Berlin''¦''America/New_York'''})
timestamptz {timestamp}::timestamptz
timestamptz ({timestamptz} + {'INTERVAL ''1 day''¦INTERVAL ''3 hours'''})
timestamptz date_trunc({'''hour''¦''day''¦''month'''}, {timestamptz})
interval ~ ({timestamp} - {timestamp})
interval ~ ({interval} {'+¦-'} {interval})
interval ~ ({interval} * {int4<10})
interval ~ (- {interval})
interval ~ ({time} - {time})
interval ~ justify_hours({interval})
interval ~ age({timestamp}, {timestamp})
interval make_interval(days => {int4<100})
int4s ~ ARRAY[{int4}, {int4}]
int4s ~ array_append({int4s}, {int4})
int4s ~ ({int4s} || {int4s})
int4s ~ ({int4s} || {int4})
int4s ~ array_remove({int4s}, {int4})
int4s ~ ({int4s})[1:2]
texts ~ string_to_array({text}, {'''o''¦''-''¦NULL'})
texts ~ ARRAY[{text}, {text}]
texts ~ array_cat({texts}, {texts})
big ({big<1000000} {'+¦-'} {big<1000000})
big<10000 ({big<100} * {big<100})
big<200 ({big<100} {'+¦-'} {num<100})
big {int4}::numeric
big {num}::numeric
big<100 {int4<100}::numeric
big round({big<1000000}, {'0¦1¦3¦(-1)'})
big trunc({big<1000000}, {'0¦2¦(-2)'})
big ({big<100} / {'3¦7.0¦0.13¦(-2)¦1000000'})
big ({big<100} % {'3¦0.7¦(-2.5)'})
big div({big<100}, {'3¦0.7'})
big ~ sqrt(abs({big<100}))
big ~ exp({big<10})
big ~ power({big<10}, {'2¦0.5¦(-1)¦(-3.5)'})
big ~ ln(abs({big<100}) + 1)
big ~ log(abs({big<100}) + 2)
big ~ log(2.0, abs({big<100}) + 2)
big ! ({big} {'+¦-¦*¦/¦%'} {big})
big ! {text}::numeric
big ! {float8}::numeric
big<100 {float8<100}::numeric
big {'abs¦sign¦floor¦ceil'}({big})
big (- {big})
big ~ trim_scale({big})
int4 ~ scale({big})
int4 ~ min_scale({big})
big ~ EXTRACT({'epoch¦second¦milliseconds¦microseconds'} FROM {timestamp})
big ~ EXTRACT({'year¦century¦decade¦millennium¦isoyear¦epoch'} FROM {date})
big ~ EXTRACT({'hour¦day¦month¦year¦epoch¦second¦minute'} FROM {interval})
big ~ EXTRACT({'hour¦epoch¦timezone¦day¦minute'} FROM {timestamptz})
big ~ EXTRACT({'hour¦second¦epoch'} FROM {time})
bool ({big} {'=¦<¦>='} {num})
bool ({big} {'=¦<¦>='} {float8})
bool ({big} {'=¦<¦>='} {int8})
text ~ {big}::text
text ~ to_char({big<100}, {'''990.00''¦''FM990.99''¦''S999.9''¦''9.99EEEE'''})
num<100 {big<100}::numeric(12,2)
int4<100 {big<100}::int4
float8<1000000 {big<1000000}::float8
jsonb ({jsonb} -> {'''a''¦''b''¦0¦1¦(-1)'})
jsonb ({jsonb} #> {'''{a,b}''¦''{0}''¦''{b,1,c}''¦''{}'''})
jsonb to_jsonb({T})
jsonb jsonb_build_array({T}, {int4})
jsonb jsonb_build_object('k', {T}, 'l', {jsonb})
jsonb jsonb_strip_nulls({jsonb})
jsonb ({jsonb} || {jsonb})
jsonb jsonb_path_query_first({jsonb}, {'''$.a''¦''$[*]''¦''$.b[0]''¦''$.**.c''¦''$[*] ? (@ > 1)''¦''$.a.b.c.size()'''})
jsonb jsonb_path_query_array({jsonb}, {'''$.*''¦''$[*].a''¦''$.** ? (@.type() == "number")'''})
jsonb jsonb_set('{"a": [1, 2], "b": {}}'::jsonb, {'''{a,0}''¦''{b,c}''¦''{a,-1}''¦''{x,y}'''}, {jsonb})
jsonb ({'''{"a": 1, "b": 2}''¦''[1, 2, 3]'''}::jsonb - {'''a''¦''b''¦''zz'''})
jsonb jsonb_insert('[1, 2]'::jsonb, {'''{0}''¦''{1}''¦''{-1}'''}, {jsonb}, {bool})
text ({jsonb} ->> {'''a''¦''b''¦0¦1'})
text ({jsonb} #>> {'''{a,b}''¦''{0}'''})
text {jsonb}::text
text jsonb_typeof({jsonb})
text jsonb_pretty({jsonb})
bool ({jsonb} {'@>¦<@'} {jsonb})
bool ({jsonb} ? {'''a''¦''b'''})
bool ({jsonb} {'?|¦?&'} ARRAY['a', 'b'])
bool jsonb_path_exists({jsonb}, {'''$.a''¦''$[1]''¦''$.** ? (@ == 1)'''})
timetz {time}::timetz
timetz ({timetz} {'+¦-'} {'INTERVAL ''1 day''¦INTERVAL ''90 minutes''¦INTERVAL ''-3 hours'''})
timetz ({timetz} AT TIME ZONE {'''UTC''¦''+03'''})
timestamptz ({date} + {timetz})
timetz {timestamptz}::timetz
time {timetz}::time
time {timestamptz}::time
text {timetz}::text
text ~ {timestamptz}::text
date {timestamptz}::date
timestamp {timestamptz}::timestamp
timestamptz {date}::timestamptz
bool ({date} {'=¦<¦>='} {timestamptz})
bool ({timestamp} {'=¦<¦>='} {timestamptz})
timestamptz ({timestamptz} {'+¦-'} {'INTERVAL ''1 month''¦INTERVAL ''1 day 2 hours''¦INTERVAL ''1 year'''})
timestamptz date_trunc({'''day''¦''week''¦''month''¦''hour'''}, {timestamptz}, {'''America/New_York''¦''Europe/Berlin''¦''UTC'''})
timestamp date_bin({'INTERVAL ''15 minutes''¦INTERVAL ''7 days'''}, {timestamp}, TIMESTAMP '2001-01-01 00:00:07')
text ~ to_char({timestamptz}, {'''YYYY-MM-DD HH24:MI:SS.US OF''¦''Dy DD Month YYYY TZ''¦''J DDD WW'''})
text ~ to_char({interval}, {'''HH24:MI:SS''¦''DD HH12'''})
text ~ to_char({timestamp}, {'''FMMonth FMDD, Y,YYY''¦''IYYY-"W"IW-ID''¦''SSSS MS US'''})
interval ~ ({timestamptz} - {timestamptz})
interval ~ ({interval} / {'2¦3¦7¦1.5'})
interval ~ ({interval} * {'0.5¦1.5¦(-2)'})
interval ~ {'justify_days¦justify_interval'}({interval})
interval ~ make_interval(months => {int4<100}, secs => {float8<100})
interval ~ age({timestamptz}, {timestamptz})
interval ~ date_trunc({'''hour''¦''day''¦''month'''}, {interval})
interval ~ ({date} - {timestamp})
interval ! {text}::interval
bool ! (({timestamp}, {interval}) OVERLAPS ({timestamp}, {interval}))
int4s ~ array_prepend({int4}, {int4s})
int4s ~ array_replace({int4s}, {int4}, {int4})
int4s ~ array_positions({int4s}, {int4})
int4s ~ ({int4s})[{'2:¦:2¦0:1¦-1:0¦2:1'}]
texts ~ array_remove({texts}, {text})
texts ~ regexp_split_to_array({text}, {'''o''¦''[ab]''¦'''''})
texts ~ regexp_match({text}, {'''(a)(b)?''¦''o+''¦''([a-z])([0-9])'''})
texts ~ string_to_array({text}, {'''a''¦'''''}, {'''b''¦''foo'''})
text ~ array_dims({int4s})
int4<10 ~ array_upper({int4s}, 1)
int4<10 ~ array_lower({int4s}, 1)
int4<10 ~ array_ndims({int4s})
bool ({text} {'=¦<>'} {'ANY¦ALL'} ({texts}))
bool ({text} LIKE ANY (ARRAY['a%', '%o%']))
bool (({int4}, {int8}, {date}) {'IS DISTINCT FROM¦<¦='} ({int4}, {int4}, {date}))
bool (({int4}, {text}) IN (({int4}, {text}), (1, 'a')))
text ~ regexp_substr({text}, {'''[a-z]+''¦''o(.)'''})
int4<10 ~ regexp_count({text}, {'''o''¦''[ab]'''})
text ~ chr(abs({int4<100}) + 32)
text ~ format({'''%s|%I|%L''¦''%2$s %1$s %3$s'''}, {text}, 'x', {int4})
text ~ encode(sha256(convert_to({text}, 'UTF8')), 'hex')
float8 {'cbrt¦degrees¦radians'}({float8<1000000})
float8<4 atan2({float8<100}, {float8<100})
float8<2 {'tanh¦sinh'}({float8<1})
T coalesce({T}, {T})
T coalesce({T}, {T}, {T})
T nullif({T}, {T})
T {'greatest¦least'}({T}, {T})
T CASE WHEN {bool} THEN {T} ELSE {T} END
T CASE WHEN {bool} THEN {T} WHEN {bool} THEN {T} END
T CASE WHEN {bool} THEN {T} END
T CASE {int4<10} WHEN {int4<10} THEN {T} ELSE {T} END
"""

#: Branches that would fail without their guard: `{1:type}` names an expression that `{1}` repeats.
GUARDED = r"""
int4 CASE WHEN {1:int4<100} <> 0 THEN {int4<1000000} / {1} END
int4 CASE WHEN {1:int4<100} = 0 THEN -1 ELSE {int4<1000000} % {1} END
int4 ({int4<1000000} / nullif({int4<100}, 0))
float8 CASE WHEN {1:float8<100} > 0 THEN ln({1}) ELSE 0 END
float8 CASE WHEN {1:float8<100} >= 0 THEN sqrt({1}) END
float8 CASE WHEN {1:float8<100} <> 0 THEN {float8<100} / {1} END
num CASE WHEN {1:num<100} <> 0 THEN round({num<100} / {1}, 2) END
int4 CASE WHEN {1:text} ~ '^[0-9]{1,6}$' THEN {1}::int4 ELSE 0 END
int8 CASE WHEN {1:text} ~ '^-?[0-9]{1,6}$' THEN {1}::int8 + 1 END
bool CASE WHEN {1:int4<100} <> 0 THEN 10 / {1} > 1 ELSE {bool} END
int2 CASE WHEN {1:int4} BETWEEN -1000 AND 1000 THEN {1}::int2 END
T CASE WHEN {1:int4<100} <> 0 AND 100 / {1} > 3 THEN {T} ELSE {T} END
T CASE WHEN {1:int4<100} = 0 OR 100 / {1} > 3 THEN {T} END
T CASE WHEN {1:int4<100} <> 0 THEN CASE WHEN 50 % {1} = 0 THEN {T} ELSE {T} END END
int4 CASE WHEN jsonb_typeof({1:jsonb}) = 'array' THEN jsonb_array_length({1}) END
big CASE WHEN jsonb_typeof({1:jsonb}) = 'number' THEN ({1})::numeric END
bool CASE WHEN jsonb_typeof({1:jsonb}) = 'boolean' THEN ({1})::bool END
jsonb CASE WHEN jsonb_typeof({1:jsonb}) IN ('array', 'object') THEN {1} - 'a' END
jsonb CASE WHEN jsonb_typeof({1:jsonb}) = 'array' THEN {1} - 1 ELSE {jsonb} END
big CASE WHEN {1:big<100} <> 0 THEN {big<100} / {1} END
int4s CASE WHEN cardinality({1:int4s}) > 1 THEN trim_array({1}, 1) END
date CASE WHEN {1:int4} BETWEEN 1 AND 12 THEN make_date(2020, {1}, 1) END
"""

#: Aggregates: the same form. Their arguments are of the rows, not of the groups.
AGGREGATES = r"""
int8 count(*)
int8 count({T})
int8 count(DISTINCT {T})
int8 sum({int4<1000000})
int8 sum(DISTINCT {int4<1000000})
int8 sum({int2})
num sum({num<1000000})
num<100 round(avg({int4<100}), 2)
num<100 round(avg({num<100}), 2)
float8 sum({float8<1000000})
float8 avg({float8<1000000})
float8 avg(DISTINCT {float8<1000000})
float8 {'stddev¦stddev_pop¦variance¦var_pop¦stddev_samp¦var_samp'}({float8<100})
float8 {'covar_pop¦covar_samp¦regr_count¦regr_avgx¦regr_sxx'}({float8<100}, {float8<100})
num round({'stddev¦var_pop¦variance'}({int4<100}), 2)
bool {'bool_and¦bool_or¦every'}({bool})
int4 {'bit_and¦bit_or'}({int4})
M {'min¦max'}({M})
M {'min¦max'}(DISTINCT {M})
text string_agg({text}, ',' ORDER BY {1:text})
text string_agg(DISTINCT {1:text}, ',' ORDER BY {1})
text string_agg({1:text}, {'''-''¦'''''} ORDER BY {1} DESC NULLS LAST)
int4s array_agg({1:int4} ORDER BY {1})
int4s array_agg(DISTINCT {1:int4} ORDER BY {1} DESC)
texts array_agg({1:text} ORDER BY {1} NULLS FIRST)
big sum({big<1000000})
big sum({int8})
big {'avg¦min¦max'}({big})
big avg({int4})
big avg(DISTINCT {big<100})
big {'stddev¦var_pop¦variance¦stddev_pop'}({int4<100})
big {'stddev¦var_pop'}({big<100})
interval {'sum¦avg'}({interval})
interval sum(DISTINCT {interval})
jsonb jsonb_agg({1:int4} ORDER BY {1})
jsonb jsonb_agg({1:text} ORDER BY {1} DESC)
jsonb jsonb_agg(DISTINCT {1:jsonb} ORDER BY {1})
jsonb jsonb_object_agg({'''k''¦''l'''}, 1)
float8 {'corr¦regr_slope¦regr_intercept¦regr_r2'}({float8<100}, {float8<100})
interval percentile_cont(0.5) WITHIN GROUP (ORDER BY {interval})
float8 percentile_cont({'0¦0.25¦0.5¦1'}) WITHIN GROUP (ORDER BY {float8<100})
int4 percentile_disc({'0¦0.25¦0.5¦1'}) WITHIN GROUP (ORDER BY {int4})
text percentile_disc(0.5) WITHIN GROUP (ORDER BY {text})
int4 mode() WITHIN GROUP (ORDER BY {int4})
"""
AGGREGATES = AGGREGATES.replace("string_agg({text}, ',' ORDER BY {1:text})", "string_agg({1:text}, ',' ORDER BY {1})")

WINDOWS = r"""
int8 row_number() OVER total
int8 {'rank¦dense_rank'}() OVER ordered
float8 {'percent_rank¦cume_dist'}() OVER ordered
int4 ntile({'1¦2¦3¦7'}) OVER total
T {'lag¦lead'}({T}) OVER total
T {'lag¦lead'}({T}, {'0¦1¦2¦3'}) OVER total
T {'lag¦lead'}({T}, 1, {T}) OVER total
T {'first_value¦last_value'}({T}) OVER total
T {'first_value¦last_value'}({T}) OVER framed
T nth_value({T}, {'1¦2¦3'}) OVER framed
int8 count(*) OVER any
int8 count({T}) OVER any
int8 count(*) OVER framed
int8 sum({int4<1000000}) OVER any
int8 sum({int4<1000000}) OVER framed
num sum({num<1000000}) OVER framed
float8 avg({float8<100}) OVER framed
M {'min¦max'}({M}) OVER framed
M {'min¦max'}({M}) OVER any
bool bool_or({bool}) OVER framed
text string_agg({text}, ',') OVER framed
big {'sum¦avg'}({big<100}) OVER framed
big avg({int4<1000}) OVER any
interval sum({interval}) OVER framed
int4s array_agg({int4}) OVER total
jsonb jsonb_agg({int4}) OVER total
float8 {'stddev¦var_pop'}({float8<100}) OVER framed
int4 {'bit_and¦bit_or'}({int4}) OVER framed
int8 count({T}) FILTER (WHERE {bool}) OVER any
int8 sum({int4<1000}) FILTER (WHERE {bool}) OVER framed
"""


class Production:
    def __init__(self, type, magnitude, fails, uncommon, template):
        self.type = type
        self.magnitude = magnitude
        self.fails = fails
        self.uncommon = uncommon
        self.pieces = pieces(template)


def pieces(template):
    """The template as a list of texts and of tuples: ('choice', texts), ('again', name), (name, type, limit)."""
    result, position = [], 0
    for match in re.finditer(r"\{'((?:[^']|'')*)'\}|\{(\d)\}|\{(?:(\d):)?([A-Za-z]\w*)(?:<(\d+))?\}", template):
        result.append(template[position:match.start()])
        position = match.end()
        if match.group(1) is not None:
            result.append(("choice", match.group(1).replace("''", "'").split("¦")))
        elif match.group(2):
            result.append(("again", match.group(2)))
        else:
            result.append((match.group(3), match.group(4), int(match.group(5)) if match.group(5) else None))
    result.append(template[position:])
    return result


def parse(text):
    table = {}
    for line in text.strip().split("\n"):
        match = re.match(r"(\w+)(?:<(\d+))? (! )?(~ )?(.*)$", line)
        type, limit, fails, uncommon, template = match.groups()

        production = Production(type, int(limit) if limit else None, bool(fails), bool(uncommon), template)
        table.setdefault(type, []).append(production)
    return table


PRODUCTIONS = parse(TEXT)
GUARDS = parse(GUARDED)
AGGREGATE_CALLS = parse(AGGREGATES)
WINDOW_CALLS = parse(WINDOWS)
