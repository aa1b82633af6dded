// One worker, a quarter of an hour back.

import { useEffect, useState } from "react";
import { call, Failure, failureOf, WorkerDetail } from "./api";
import { LineChart } from "./charts";
import { bytes, clockOfSecond, count, duration } from "./format";
import { useCluster } from "./live";
import { Card, FailureBox, StateBadge, Tile } from "./parts";

export function WorkerPage({ id }: { id: string }) {
  const [detail, setDetail] = useState<WorkerDetail | null>(null);
  const [failure, setFailure] = useState<Failure | null>(null);
  const live = useCluster().workers.find((worker) => worker.id === id);
  useEffect(() => {
    const abort = new AbortController();
    const load = () => call<WorkerDetail>(`/v1/workers/${encodeURIComponent(id)}`, { signal: abort.signal }).then(
      (next) => { setDetail(next); setFailure(null); },
      (error) => { if (!abort.signal.aborted) setFailure(failureOf(error)); });
    load();
    const timer = setInterval(load, 2000);
    return () => { clearInterval(timer); abort.abort(); };
  }, [id]);
  const worker = live ?? detail;
  const samples = detail?.samples ?? [];
  const labels = samples.map((sample) => clockOfSecond(sample.second));
  return (
    <>
      <p className="crumbs"><a href="#/">Overview</a> / Worker</p>
      <h1>{id} {worker && <StateBadge state={worker.state} />}</h1>
      {failure && <FailureBox failure={failure} />}
      {worker && (
        <dl className="tiles">
          <Tile name="Tasks" value={count(worker.running_tasks)} note={` on ${worker.slots} threads`} />
          <Tile name="Processors" value={worker.processors?.toFixed(2) ?? "–"} note={` of ${worker.slots}`} />
          <Tile name="Query memory" value={bytes(worker.memory_used_bytes)} note={` of ${bytes(worker.memory_bytes)}`} />
          <Tile name="Process memory" value={bytes(worker.resident_bytes)} />
          {detail?.state_age_ms != null && <Tile name={worker.state === "active" ? "Active for" : `In state ${worker.state} for`} value={duration(detail.state_age_ms * 1000)} />}
          {detail?.silence_ms != null && <Tile name="Last heartbeat" value={duration(detail.silence_ms * 1000)} note=" ago" />}
        </dl>
      )}
      <div className="columns">
        <Card>
          <LineChart title="Processors busy" labels={labels} isFilled format={(value) => value.toFixed(1)} least={worker?.slots ?? 1}
            series={[{ name: "busy", color: "var(--series-1)", values: samples.map((sample) => sample.processors) }]} />
        </Card>
        <Card>
          <LineChart title="Memory" labels={labels} format={bytes} least={1 << 20} isBytes
            series={[
              { name: "process", color: "var(--series-2)", values: samples.map((sample) => sample.resident_bytes) },
              { name: "queries", color: "var(--series-1)", values: samples.map((sample) => sample.memory_used_bytes) },
            ]} />
        </Card>
        <Card>
          <LineChart title="Running tasks" labels={labels} isFilled format={count} least={2}
            series={[{ name: "tasks", color: "var(--series-1)", values: samples.map((sample) => sample.running_tasks) }]} />
        </Card>
        {worker && (
          <Card title="Addresses">
            <dl className="facts">
              <dt>Control</dt><dd>{worker.control}</dd>
              <dt>Rows</dt><dd>{worker.exchange}</dd>
              <dt>Incarnation</dt><dd>{worker.incarnation}</dd>
            </dl>
          </Card>
        )}
      </div>
    </>
  );
}
