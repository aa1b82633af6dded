// The cluster as the event stream tells it. One connection for the whole page; what is missed is asked for again.

import { useSyncExternalStore } from "react";
import type { ActivitySample, Query, QueryDetail, Totals, Worker } from "./api";

export interface Cluster {
  isConnected: boolean;
  hasData: boolean;
  version: string;
  totals: Totals;
  workers: Worker[];
  /** Those that wait or run first, then ended ones, newest first. */
  queries: Query[];
  samples: ActivitySample[];
  watched: QueryDetail | null;
}

const sampleCountMax = 900;
const endedCountMax = 400;

let cluster: Cluster = {
  isConnected: false, hasData: false, version: "",
  totals: { running: 0, queued: 0, started: 0, failed: 0, connections: 0 },
  workers: [], queries: [], samples: [], watched: null,
};
const listeners = new Set<() => void>();
let socket: WebSocket | null = null;
let sequence = -1;
let watchedID: string | null = null;
let retryDelay = 250;

function publish(change: Partial<Cluster>) {
  cluster = { ...cluster, ...change };
  for (const listener of listeners) listener();
}

function send(message: unknown) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

export function isLive(query: Query): boolean { return query.state === "running" || query.state === "queued"; }

function merged(queries: Query[], changed: Query[], gone: string[]): Query[] {
  const byID = new Map(queries.map((query) => [query.id, query]));
  for (const query of changed) byID.set(query.id, query);
  for (const id of gone) byID.delete(id);
  const all = [...byID.values()].sort(
    (a, b) => Number(isLive(b)) - Number(isLive(a)) || b.started_at_us - a.started_at_us);
  return all.slice(0, endedCountMax);
}

interface Message {
  type: "snapshot" | "delta" | "query" | "error";
  seq: number; version: string; totals: Totals; workers: Worker[]; gone_workers: string[]; queries: Query[];
  gone_queries: string[]; samples: ActivitySample[]; query: QueryDetail;
}

function receive(message: Message) {
  switch (message.type) {
    case "snapshot":
      sequence = message.seq;
      publish({
        hasData: true, version: message.version, totals: message.totals, workers: message.workers,
        queries: merged(message.queries, [], []), samples: message.samples,
      });
      break;
    case "delta": {
      if (message.seq !== sequence + 1) {
        // Deltas before the asked snapshot may still come; they change nothing that it will not set.
        send({ type: "resync" });
        return;
      }
      sequence = message.seq;
      const workers = new Map(cluster.workers.map((worker) => [worker.id, worker]));
      for (const worker of message.workers) workers.set(worker.id, worker);
      for (const id of message.gone_workers) workers.delete(id);
      const last = cluster.samples[cluster.samples.length - 1]?.second ?? -1;
      const fresh = message.samples.filter((sample) => sample.second > last);
      publish({
        totals: message.totals,
        workers: [...workers.values()].sort((a, b) => a.id.localeCompare(b.id)),
        queries: message.queries.length + message.gone_queries.length > 0
          ? merged(cluster.queries, message.queries, message.gone_queries) : cluster.queries,
        samples: fresh.length > 0 ? [...cluster.samples, ...fresh].slice(-sampleCountMax) : cluster.samples,
      });
      break;
    }
    case "query":
      if (message.query.id === watchedID) publish({ watched: message.query });
      break;
    case "error": break;
  }
}

export function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const next = new WebSocket(`${scheme}://${location.host}/v1/events`);
  socket = next;
  next.onopen = () => {
    retryDelay = 250;
    publish({ isConnected: true });
    if (watchedID) send({ type: "watch", query: watchedID });
  };
  next.onmessage = (event) => receive(JSON.parse(event.data as string) as Message);
  next.onclose = () => {
    publish({ isConnected: false });
    sequence = -1;
    setTimeout(connect, retryDelay);
    retryDelay = Math.min(5000, retryDelay * 2);
  };
}

/** Asks for everything about a query as it changes; the function ends that. */
export function watch(id: string): () => void {
  watchedID = id;
  publish({ watched: null });
  send({ type: "watch", query: id });
  return () => {
    if (watchedID !== id) return;
    watchedID = null;
    send({ type: "unwatch" });
    publish({ watched: null });
  };
}

export function useCluster(): Cluster {
  return useSyncExternalStore(
    (listener) => { listeners.add(listener); return () => listeners.delete(listener); }, () => cluster);
}
