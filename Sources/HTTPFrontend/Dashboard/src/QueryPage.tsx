// One query from its start to its end.

import { useEffect, useState } from "react";
import { call, Failure, failureOf, QueryDetail, Task } from "./api";
import { bytes, clock, count, duration } from "./format";
import { isLive, useCluster, watch } from "./live";
import { Card, Empty, FailureBox, StateBadge, Tile } from "./parts";
import { PlanGraph } from "./PlanGraph";
import { Elapsed } from "./QueriesPage";

export function QueryPage({ id }: { id: string }) {
  const cluster = useCluster();
  const [loaded, setLoaded] = useState<QueryDetail | null>(null);
  const [failure, setFailure] = useState<Failure | null>(null);
  const [selected, setSelected] = useState<number | null>(null);
  useEffect(() => {
    setLoaded(null);
    call<QueryDetail>(`/v1/queries/${id}`).then(setLoaded, (error) => setFailure(failureOf(error)));
    return watch(id);
  }, [id]);
  const query = cluster.watched?.id === id ? cluster.watched : loaded;
  if (!query) {
    return <><h1>Query</h1>{failure ? <FailureBox failure={failure} /> : <Empty>Loading…</Empty>}</>;
  }
  if (!query.timeline) {
    // Known by the request that started it only.
    return (
      <>
        <h1>Query <StateBadge state={query.state} /></h1>
        {query.error ? <FailureBox failure={query.error} /> : <Empty>The statement has started no query of rows.</Empty>}
      </>
    );
  }
  const operators = query.operators ?? [];
  const operator = operators.find((one) => one.node === selected);
  const processor = operators.reduce((sum, one) => sum + one.time_ns, 0);
  const spilled = operators.reduce((sum, one) => sum + one.spilled_bytes, 0);
  const memory = operators.reduce((sum, one) => sum + one.memory_bytes, 0);
  const read = operators.filter((one) => one.name === "Scan").reduce((sum, one) => sum + one.read_bytes, 0);
  return (
    <>
      <p className="crumbs"><a href="#/queries">Queries</a> / <code>{query.id}</code></p>
      <div className="title-line">
        <h1>Query</h1><StateBadge state={query.state} />
        {isLive(query) && <button className="danger" onClick={() => cancel(query.id).catch((error) => setFailure(failureOf(error)))}>Cancel query</button>}
      </div>
      {failure && <FailureBox failure={failure} />}
      {query.error && <FailureBox failure={query.error} />}
      {query.queued_reason && <p className="note">Waits in place {(query.queue_position ?? 0) + 1} of the queue: {query.queued_reason}.</p>}
      <pre className="sql" tabIndex={0} aria-label="Statement">{query.sql}</pre>
      <dl className="tiles">
        <div className="tile"><dt>Time</dt><dd>{isLive(query) ? <Elapsed since={query.started_at_us} /> : duration(query.duration_us)}</dd></div>
        <Tile name="Rows" value={count(query.row_count)} />
        <Tile name="Processor time" value={duration(processor / 1000)} />
        <Tile name="Memory" value={bytes(memory)} />
        <Tile name="Read" value={bytes(read)} />
        <Tile name="Spilled" value={bytes(spilled)} tone={spilled > 0 ? "warn" : undefined} />
        <Tile name="Attempts" value={count(Math.max(1, query.attempts))} tone={query.attempts > 1 ? "warn" : undefined} />
      </dl>
      <Timeline query={query} />
      <Card title="Plan">
        {operators.length === 0 ? <Empty>The plan of this query is not kept any more.</Empty> : (
          <>
            <PlanGraph query={query} selected={selected} onSelect={(node) => setSelected(node === selected ? null : node)} />
            {operator && (
              <dl className="facts operator-facts" aria-live="polite">
                <dt>Operator</dt><dd><code>{operator.description}</code></dd>
                <dt>Rows in, out</dt><dd>{count(operator.rows_in)}, {count(operator.rows)}
                  {operator.estimated_rows !== null && <span className="muted"> (estimated {count(operator.estimated_rows)})</span>}</dd>
                <dt>Processor time</dt><dd>{duration(operator.time_ns / 1000)}</dd>
                <dt>Memory, spilled</dt><dd>{bytes(operator.memory_bytes)}, {bytes(operator.spilled_bytes)}</dd>
                <dt>Read</dt><dd>{bytes(operator.read_bytes)}</dd>
              </dl>
            )}
          </>
        )}
      </Card>
      {query.tasks?.length > 0 && <Stages query={query} />}
      {query.tasks?.length > 0 && <Gantt query={query} />}
      {query.retries?.length > 0 && (
        <Card title="Retries">
          <ul className="plain">{query.retries.map((retry) => (
            <li key={retry.attempt}>{clock(retry.at_us)}: attempt {retry.attempt + 1} was given up, {retry.error.message} <code>{retry.error.state}</code></li>
          ))}</ul>
        </Card>
      )}
    </>
  );
}

function cancel(id: string) { return call(`/v1/queries/${id}`, { method: "DELETE" }); }

function Timeline({ query }: { query: QueryDetail }) {
  const changes = [{ state: "queued", at_us: query.started_at_us }, ...(query.timeline ?? []).filter((one) => one.state !== "queued")];
  return (
    <ol className="timeline" aria-label="States">
      {changes.map((change, index) => (
        <li key={index} className={`state-${change.state}`}>
          <b>{change.state}</b>
          <span>{index === 0 ? clock(change.at_us) : `+${duration(change.at_us - query.started_at_us)}`}</span>
        </li>
      ))}
    </ol>
  );
}

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length === 0 ? 0 : sorted[Math.floor((sorted.length - 1) / 2)];
}

function Stages({ query }: { query: QueryDetail }) {
  const attempt = Math.max(...query.tasks.map((task) => task.attempt));
  return (
    <Card title="Stages">
      <div className="scroll" tabIndex={0} role="region" aria-label="Stages, table">
        <table>
          <thead><tr><th>Stage</th><th>Runs</th><th>Rows go</th><th>Tasks</th><th className="number">Rows</th>
            <th className="number">Processor time</th><th className="number">Skew</th><th className="number">Spilled</th></tr></thead>
          <tbody>
            {query.stages.map((stage) => {
              const tasks = query.tasks.filter((task) => task.stage === stage.stage && task.attempt === attempt);
              const times = tasks.map((task) => task.processor_ns);
              const rows = tasks.map((task) => task.rows ?? 0);
              // The busiest task beside the one in the middle; of stages that do little it says nothing.
              const isWorth = tasks.length > 1 && Math.max(...times, 0) > 10_000_000;
              const skew = Math.max(...times, 0) / Math.max(1, median(times));
              const done = tasks.filter((task) => task.ended_at_us !== null).length;
              return (
                <tr key={stage.stage}>
                  <td><i className={`dot stage-${stage.stage % 6}`} aria-hidden="true" /> {stage.stage}</td>
                  <td>{stage.placement}</td><td>{stage.partitioning || "to the client"}
                    {stage.runtime_filters.map((text) => <div className="muted" key={text}>{text}</div>)}</td>
                  <td>{done} of {tasks.length}</td>
                  <td className="number">{count(rows.reduce((sum, one) => sum + one, 0))}</td>
                  <td className="number">{duration(times.reduce((sum, one) => sum + one, 0) / 1000)}</td>
                  <td className={`number ${isWorth && skew > 2 ? "warn" : ""}`}>{isWorth ? `${skew.toFixed(1)}×` : "–"}</td>
                  <td className="number">{bytes(tasks.reduce((sum, one) => sum + one.spilled_bytes, 0))}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </Card>
  );
}

function Gantt({ query }: { query: QueryDetail }) {
  const now = query.duration_us === null ? Date.now() * 1000 : query.started_at_us + query.duration_us;
  const begin = Math.min(...query.tasks.map((task) => task.offered_at_us));
  const end = Math.max(now, ...query.tasks.map((task) => task.ended_at_us ?? 0));
  const span = Math.max(1, end - begin);
  const share = (time: number) => Math.max(0, Math.min(100, ((time - begin) / span) * 100));
  const tasks = [...query.tasks].sort((a, b) => a.attempt - b.attempt || a.stage - b.stage || a.partition - b.partition);
  return (
    <Card title="Tasks">
      <div className="gantt" role="list" aria-label="Tasks over time">
        <div className="gantt-axis" aria-hidden="true"><span>0</span><span>{duration(span / 2)}</span><span>{duration(span)}</span></div>
        {tasks.map((task) => <GanttRow key={`${task.attempt}.${task.stage}.${task.partition}`} task={task} share={share} now={now} />)}
      </div>
    </Card>
  );
}

function GanttRow({ task, share, now }: { task: Task; share: (time: number) => number; now: number }) {
  const start = task.started_at_us ?? task.offered_at_us;
  const end = task.ended_at_us ?? now;
  const name = `${task.attempt > 0 ? `attempt ${task.attempt + 1}, ` : ""}stage ${task.stage}, task ${task.partition}`;
  const text = `${name} on ${task.worker}: ${task.state}, ${duration(end - start)}, ${count(task.rows)} rows`
    + (task.error ? `, ${task.error.message}` : "");
  return (
    <div className="gantt-row" role="listitem" aria-label={text} title={text}>
      <span className="gantt-name">{name}<small>{task.worker}</small></span>
      <span className="gantt-track">
        <i className="gantt-offer" style={{ left: `${share(task.offered_at_us)}%`, width: `${share(start) - share(task.offered_at_us)}%` }} />
        <i className={`gantt-bar stage-${task.stage % 6} task-${task.state}`}
          style={{ left: `${share(start)}%`, width: `max(3px, ${share(end) - share(start)}%)` }} />
      </span>
      <span className="gantt-time">{duration(end - start)}</span>
    </div>
  );
}
