// The cluster at a glance.

import { Card, Empty, Meter, StateBadge, Tile } from "./parts";
import { LineChart } from "./charts";
import { bytes, clockOfSecond, count, duration, oneLine, shortCount } from "./format";
import { isLive, useCluster } from "./live";
import type { Worker } from "./api";

const shownSeconds = 300;

export function OverviewPage() {
  const cluster = useCluster();
  const samples = cluster.samples.slice(-shownSeconds);
  const labels = samples.map((sample) => clockOfSecond(sample.second));
  const healthy = cluster.workers.filter((worker) => worker.state === "active").length;
  const recent = samples.slice(-10);
  const rate = recent.reduce((sum, sample) => sum + sample.finished + sample.failed, 0) / Math.max(1, recent.length);
  const memory = cluster.workers.reduce((sum, worker) => sum + worker.memory_used_bytes, 0);
  const processors = cluster.workers.reduce((sum, worker) => sum + (worker.processors ?? 0), 0);
  const slots = cluster.workers.reduce((sum, worker) => sum + (worker.state === "lost" ? 0 : worker.slots), 0);
  return (
    <>
      <h1>Overview</h1>
      <dl className="tiles">
        <Tile name="Workers" value={`${healthy}`} note={` of ${cluster.workers.length} active`}
          tone={healthy < cluster.workers.length ? "warn" : undefined} />
        <Tile name="Running" value={count(cluster.totals.running)} note={cluster.totals.queued ? ` + ${cluster.totals.queued} queued` : ""} />
        <Tile name="Queries per second" value={rate < 10 ? rate.toFixed(1) : count(rate)} note=" over 10 s" />
        <Tile name="Processors busy" value={processors.toFixed(1)} note={slots ? ` of ${slots}` : ""} />
        <Tile name="Query memory" value={bytes(memory)} />
        <Tile name="Failed" value={count(cluster.totals.failed)} note={` of ${count(cluster.totals.started)}`} />
      </dl>
      <div className="columns">
        <Card>
          <LineChart title="Throughput" labels={labels} isFilled format={(value) => `${shortCount(value)}/s`} least={1}
            series={[
              { name: "finished", color: "var(--series-1)", values: samples.map((sample) => sample.finished) },
              { name: "failed", color: "var(--series-3)", values: samples.map((sample) => sample.failed) },
            ]} />
        </Card>
        <Card>
          <LineChart title="Latency" labels={labels} format={duration} least={1000} isLogarithmic
            series={[
              { name: "median", color: "var(--series-1)", values: samples.map((sample) => sample.median_us) },
              { name: "p95", color: "var(--series-2)", values: samples.map((sample) => sample.p95_us) },
              { name: "p99", color: "var(--series-4)", values: samples.map((sample) => sample.p99_us) },
            ]} />
        </Card>
        <Card>
          <LineChart title="Queries at once" labels={labels} isFilled format={count} least={2}
            series={[
              { name: "running", color: "var(--series-1)", values: samples.map((sample) => sample.running) },
              { name: "queued", color: "var(--series-2)", values: samples.map((sample) => sample.queued) },
            ]} />
        </Card>
        <LiveQueries />
      </div>
      <Card title="Workers">
        {cluster.workers.length === 0
          ? <Empty>No worker has joined. Start one with <code>martlet worker --join HOST:PORT</code>.</Empty>
          : <WorkerTable workers={cluster.workers} />}
      </Card>
    </>
  );
}

function LiveQueries() {
  const cluster = useCluster();
  const live = cluster.queries.filter(isLive).slice(0, 6);
  const shown = live.length > 0 ? live : cluster.queries.slice(0, 6);
  return (
    <Card title={live.length > 0 ? "Running now" : "Last queries"} actions={<a href="#/queries">All queries</a>}>
      {shown.length === 0 && <Empty>No query has run yet.</Empty>}
      <ul className="query-list">
        {shown.map((query) => (
          <li key={query.id}>
            <StateBadge state={query.state} />
            <a href={`#/queries/${query.id}`}><code>{oneLine(query.sql).slice(0, 120)}</code></a>
            <span className="muted">{query.duration_us === null ? "" : duration(query.duration_us)}</span>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function WorkerTable({ workers }: { workers: Worker[] }) {
  return (
    <div className="scroll" tabIndex={0} role="region" aria-label="Workers, table">
      <table>
        <thead>
          <tr><th>Worker</th><th>State</th><th>Processors</th><th>Query memory</th><th>Process memory</th>
            <th className="number">Tasks</th><th>Address</th></tr>
        </thead>
        <tbody>
          {workers.map((worker) => (
            <tr key={worker.id}>
              <td><a href={`#/workers/${encodeURIComponent(worker.id)}`}>{worker.id}</a></td>
              <td><StateBadge state={worker.state} /></td>
              <td><Meter label={`Processors of ${worker.id}`} value={worker.processors ?? 0} maximum={worker.slots}
                text={worker.processors === null ? "–" : `${worker.processors.toFixed(2)} of ${worker.slots}`} /></td>
              <td><Meter label={`Query memory of ${worker.id}`} value={worker.memory_used_bytes} maximum={worker.memory_bytes}
                text={`${bytes(worker.memory_used_bytes)} of ${bytes(worker.memory_bytes)}`} /></td>
              <td>{bytes(worker.resident_bytes)}</td>
              <td className="number">{worker.running_tasks}</td>
              <td className="muted">{worker.control}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
