// PhysicalOps: vectorised operators, pipelines and their drivers.
//
//   Task/        TaskExecution runs one task; what it needs (TaskEnvironment) and where its rows go (TaskOutput)
//   Driver/      DriverPool: the threads; Driver: a piece of work that runs in short quanta and parks instead of blocking
//   Pipeline/    PushOperator, BatchSource, factories, and PipelineBuilder, which makes pipelines of a PhysicalNode tree
//   Expressions/ expressions and orderings as operators use them
//   RuntimeFilter/  what a join's build side tells the scans of its probe side, in its own stage and in others
//   Aggregate/ Exchange/ Filter/ HashJoin/ …   one folder an operator
//
// A task's tree is cut into pipelines where an operator must see all of its input before it gives a row. A pipeline is a
// source, a chain of streaming operators and a sink; every driver has its own instance of all three, and what they share
// lives in their factories, one a plan node and task:
//
//   source ─push→ operator ─push→ … ─push→ sink          (per driver; batches of 2,048 rows as a rule)
//                                           └ when all drivers are done: SinkFactory.finalize, in parallel tasks
//                                           └ then the pipelines that wait for the sink start
//
// To add an operator:
//   1. Add its node to `PhysicalNode.Kind` (QueryPlan) and a case to `PipelineBuilder.compile`.
//   2. A streaming operator: a `PushOperator` subclass (`process`, and `finishInput` if it holds rows back) and an
//      `OperatorFactory` that makes one a driver. `compile` appends the factory to the open pipeline of its input.
//   3. A breaker: a `SinkFactory` with a terminal `PushOperator` (thread-local state, merged into the factory in
//      `finishInput`), and a `SourceFactory` over the factory's finished state. `compile` closes the input's pipeline with
//      the sink and opens a new one that depends on the gate that `close` returns.
//   4. Reserve memory through `TaskContext.memory(for:)`; report rows only through `emit`, which also keeps the metrics.
//   5. Nothing may block a thread: a source that has to wait registers the wake callback and answers `.blocked`.
