// The documents of the HTTP API, and how they are fetched.

export interface Session { user: string | null; administrator: boolean }

export interface Failure { state: string; message: string; detail?: string; hint?: string; position?: number; object?: string }

export interface Worker {
  id: string; incarnation: string; state: string; control: string; exchange: string; running_tasks: number;
  slots: number; memory_bytes: number; memory_used_bytes: number; resident_bytes: number; processors: number | null;
  state_age_ms?: number | null; silence_ms?: number | null;
}
export interface WorkerSample {
  second: number; processors: number | null; memory_used_bytes: number; resident_bytes: number; running_tasks: number;
}
export interface WorkerDetail extends Worker { samples: WorkerSample[] }

export interface ActivitySample {
  second: number; started: number; finished: number; failed: number; running: number; queued: number;
  median_us: number | null; p95_us: number | null; p99_us: number | null;
}
export interface Totals { running: number; queued: number; started: number; failed: number; connections: number }

export type QueryState = "queued" | "running" | "finished" | "failed" | "cancelled";
export interface Query {
  id: string; state: QueryState; user: string; sql: string; started_at_us: number; duration_us: number | null;
  row_count: number | null; attempts: number; processor_ns: number; memory_bytes: number; spilled_bytes: number;
  read_bytes: number; error: Failure | null;
}
export interface Operator {
  node: number; stage: number; name: string; description: string; estimated_rows: number | null; inputs: number[];
  source_stage: number | null; has_run: boolean; rows_in: number; rows: number; time_ns: number; memory_bytes: number;
  spilled_bytes: number; read_bytes: number;
}
export interface Stage {
  stage: number; placement: string; partitioning: string; root: number; runtime_filters: string[];
}
export interface Task {
  attempt: number; stage: number; partition: number; worker: string; state: string; offered_at_us: number;
  started_at_us: number | null; ended_at_us: number | null; rows: number | null; processor_ns: number;
  memory_bytes: number; spilled_bytes: number; read_bytes: number; error: Failure | null;
}
export interface QueryDetail extends Query {
  queued_reason: string | null; queue_position: number | null; timeline: { state: string; at_us: number }[];
  retries: { attempt: number; at_us: number; error: Failure }[]; stages: Stage[]; operators: Operator[]; tasks: Task[];
}

export interface Column { name: string; type: string }
export type Value = string | number | boolean | null | object;
export interface Outcome {
  row_count: number; is_truncated: boolean; command: string; query_id: string | null; elapsed_us: number;
  notices: Failure[];
}
export interface RowPage {
  id: string; state: string; page: number; columns?: Column[]; rows: Value[][]; next_page: number | null;
  outcome?: Outcome; error?: Failure;
}

export interface TableEntry {
  name: string; kind: string; estimated_rows: number | null;
  columns: { name: string; type: string; nullable: boolean; comment?: string }[];
}
export interface SchemaEntry { name: string; tables: TableEntry[] }

export class APIError extends Error {
  constructor(readonly status: number, readonly failure: Failure) { super(failure.message); }
}

export async function call<T>(path: string, init?: RequestInit): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new APIError(0, { state: "08006", message: "the coordinator does not answer" });
  }
  const body = await response.json();
  if (!response.ok) throw new APIError(response.status, body.error);
  return body as T;
}

export function post<T>(path: string, body: unknown): Promise<T> {
  return call<T>(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
}

export function failureOf(error: unknown): Failure {
  return error instanceof APIError ? error.failure : { state: "XX000", message: String(error) };
}
