// Queries that run, ran and failed, with filter and search.

import { useEffect, useState } from "react";
import { call, Query, QueryState } from "./api";
import { bytes, clock, count, duration, oneLine } from "./format";
import { isLive, useCluster } from "./live";
import { Card, Empty, StateBadge } from "./parts";

const filters: { name: string; states: QueryState[] }[] = [
  { name: "All", states: [] },
  { name: "Live", states: ["queued", "running"] },
  { name: "Finished", states: ["finished"] },
  { name: "Failed", states: ["failed", "cancelled"] },
];

export function QueriesPage() {
  const cluster = useCluster();
  const [filter, setFilter] = useState(filters[0]);
  const [search, setSearch] = useState("");
  const [older, setOlder] = useState<Query[]>([]);
  useEffect(() => {
    const abort = new AbortController();
    // What is older than the stream's snapshot, and what its texts were too long for.
    const timer = setTimeout(() => {
      const parameters = new URLSearchParams({ limit: "300" });
      if (search) parameters.set("search", search);
      if (filter.states.length) parameters.set("state", filter.states.join(","));
      call<Query[]>(`/v1/queries?${parameters}`, { signal: abort.signal }).then(
        setOlder, () => { if (!abort.signal.aborted) setOlder([]); });
    }, 150);
    setOlder([]);
    return () => { clearTimeout(timer); abort.abort(); };
  }, [search, filter]);
  const words = search.toLowerCase();
  const known = new Set(cluster.queries.map((query) => query.id));
  const found = [
    ...cluster.queries.filter((query) =>
      !words || query.sql.toLowerCase().includes(words) || query.id.includes(words) ||
      (query.error?.message.toLowerCase().includes(words) ?? false)),
    ...older.filter((query) => !known.has(query.id)),
  ].filter((query) => filter.states.length === 0 || filter.states.includes(query.state)).slice(0, 300);
  return (
    <>
      <h1>Queries</h1>
      <div className="toolbar">
        <div className="segments" role="group" aria-label="States">
          {filters.map((one) => (
            <button key={one.name} aria-pressed={one === filter} onClick={() => setFilter(one)}>{one.name}</button>
          ))}
        </div>
        <input type="search" placeholder="Search statements, ids and errors" aria-label="Search queries" value={search}
          onChange={(event) => setSearch(event.target.value)} />
      </div>
      <Card>
        {found.length === 0 ? <Empty>No query is like that.</Empty> : (
          <div className="scroll" tabIndex={0} role="region" aria-label="Queries, table">
            <table className="queries">
              <thead>
                <tr><th>State</th><th>Statement</th><th>Started</th><th className="number">Time</th>
                  <th className="number">Rows</th><th className="number">Memory</th><th>User</th></tr>
              </thead>
              <tbody>{found.map((query) => <QueryRow key={query.id} query={query} />)}</tbody>
            </table>
          </div>
        )}
      </Card>
    </>
  );
}

function QueryRow({ query }: { query: Query }) {
  return (
    <tr>
      <td><StateBadge state={query.state} /></td>
      <td className="statement">
        <a href={`#/queries/${query.id}`}><code>{oneLine(query.sql) || "(empty)"}</code></a>
        {query.error && <div className="error-line">{query.error.state} {query.error.message}</div>}
      </td>
      <td>{clock(query.started_at_us)}</td>
      <td className="number">{isLive(query) ? <Elapsed since={query.started_at_us} /> : duration(query.duration_us)}</td>
      <td className="number">{count(query.row_count)}</td>
      <td className="number">{query.duration_us === null ? "–" : bytes(query.memory_bytes)}
        {query.spilled_bytes > 0 && <div className="muted">{bytes(query.spilled_bytes)} spilled</div>}</td>
      <td>{query.user}</td>
    </tr>
  );
}

export function Elapsed({ since }: { since: number }) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 200);
    return () => clearInterval(timer);
  }, []);
  return <>{duration(Math.max(0, now * 1000 - since))}</>;
}
