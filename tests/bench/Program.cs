using Quickq.Bench;
using Quickq.Bench.Contestants;

// Usage: tests/bench/run.sh [NAME...] [options]. A contestant that must have a process of its own is this program again.
return args switch
{
    ["contestant", .. var what] => await ClientAlone.RunAsync(what),
    _ => await BenchRun.RunAsync(args),
};
