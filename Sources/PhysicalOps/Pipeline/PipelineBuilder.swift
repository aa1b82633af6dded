// From a PhysicalNode tree to pipelines.

import Columnar
import Diagnostics
import QueryPlan

/// Something that pipelines wait for: the end of another pipeline's drivers, or a finalised sink. Opened once, under the
/// task's lock.
package final class Gate: @unchecked Sendable {
    var isOpen = false
    init() {}
}

/// A pipeline without its sink: a source and the operators so far. Confined to the builder.
package final class PipelineSegment {
    let source: any SourceFactory
    fileprivate(set) var operators: [any OperatorFactory] = []
    fileprivate(set) var dependencies: [Gate] = []
    /// Opens when all drivers of the pipeline have finished.
    package let done = Gate()

    init(source: any SourceFactory) { self.source = source }
}

/// What `compile` returns for a node: one or more pipelines that give its rows, still without a sink. There are several
/// behind a UNION ALL, or where a join gives its unmatched build rows from a source of their own.
package struct OpenPipeline {
    package private(set) var segments: [PipelineSegment]

    /// A pipeline that begins with `source`, which starts when the gates are open.
    package init(source: any SourceFactory, after gates: [Gate] = []) {
        let segment = PipelineSegment(source: source)
        segment.dependencies = gates
        segments = [segment]
    }

    /// Appends a streaming operator.
    package func append(_ factory: any OperatorFactory) {
        for segment in segments { segment.operators.append(factory) }
    }

    /// Lets the pipelines wait for a gate (a hash table being built, say).
    package func wait(for gate: Gate) {
        for segment in segments { segment.dependencies.append(gate) }
    }

    /// The rows of both. To run the other's behind these: let it wait for `done` of the segments.
    package mutating func union(_ other: OpenPipeline) { segments += other.segments }
}

/// A finished pipeline as `TaskExecution` runs it.
final class Pipeline {
    let source: any SourceFactory
    let operators: [any OperatorFactory]
    let dependencies: [Gate]
    let done: Gate
    let sink: SinkGroup
    /// Pipelines that were closed first run first.
    let priority: Int
    var hasStarted = false
    var activeDrivers = 0

    init(segment: PipelineSegment, sink: SinkGroup, priority: Int) {
        source = segment.source
        operators = segment.operators
        dependencies = segment.dependencies
        done = segment.done
        self.sink = sink
        self.priority = priority
    }

    var stopFlags: [StopFlag] { operators.compactMap(\.stopFlag) }
}

/// A sink with the number of pipelines that still feed it.
final class SinkGroup {
    let factory: any SinkFactory
    let gate = Gate()
    var remainingPipelines: Int

    init(factory: any SinkFactory, pipelines: Int) {
        self.factory = factory
        remainingPipelines = pipelines
    }
}

/// Compiles one task's tree. `compile` dispatches on the node; each operator's folder has its own `compile`.
package final class PipelineBuilder {
    package let task: TaskContext
    private(set) var pipelines: [Pipeline] = []
    private(set) var sinks: [SinkGroup] = []
    /// Tests that joins and sorts give to scans, by the scan's node id; scans pick them up when they are compiled, which is
    /// why an operator attaches its tests before it compiles its input.
    private var runtimeTests: [Int: [AttachedRuntimeTest]] = [:]

    init(task: TaskContext) { self.task = task }

    package var environment: any TaskEnvironment { task.environment }

    /// Pipelines that give the rows of `node`.
    package func compile(_ node: PhysicalNode) throws -> OpenPipeline {
        switch node.kind {
        case .scan(let scan): try compileScan(node, scan)
        case .values(let values): try compileValues(node, values)
        case .filter(let filter): try compileFilter(node, filter)
        case .project(let project): try compileProject(node, project)
        case .aggregate(let aggregate): try compileAggregate(node, aggregate)
        case .hashJoin(let join): try compileHashJoin(node, join)
        case .nestedLoopJoin(let join): try compileNestedLoopJoin(node, join)
        case .sort(let sort): try compileSort(node, sort)
        case .limit(let limit): try compileLimit(node, limit)
        case .union(let union): try compileUnion(node, union)
        case .window(let window): try compileWindow(node, window)
        case .tableFunction(let function): try compileTableFunction(node, function)
        case .recursive(let recursive): try compileRecursive(node, recursive)
        case .workingTable(let number): try compileWorkingTable(node, number)
        case .write(let write): try compileWrite(node, write)
        case .exchangeSource(let exchange): try compileExchangeSource(node, exchange)
        }
    }

    /// Ends pipelines with a sink. The gate opens when the sink is finalised.
    package func close(_ open: OpenPipeline, with sink: any SinkFactory) -> Gate {
        let group = SinkGroup(factory: sink, pipelines: open.segments.count)
        sinks.append(group)
        for segment in open.segments {
            pipelines.append(Pipeline(segment: segment, sink: group, priority: pipelines.count))
        }
        return group.gate
    }

    /// Gives `test` to the scan that column `column` of `node`'s output comes from unchanged, if there is one that runs in
    /// the same pipeline, so that a join's filter is published before the scan starts. Rows that fail it must be of no use
    /// above `node`. Returns whether there is such a scan.
    @discardableResult
    package func attach(_ test: RuntimeTest, toColumn column: Int, of node: PhysicalNode) -> Bool {
        guard let (leaf, source) = node.filterLeaf(ofColumn: column, acrossBreakers: false),
            case .scan = leaf.kind
        else { return false }
        runtimeTests[leaf.id, default: []].append(AttachedRuntimeTest(test: test, column: source))
        return true
    }

    func takeRuntimeTests(scan: Int) -> [AttachedRuntimeTest] { runtimeTests.removeValue(forKey: scan) ?? [] }
}
