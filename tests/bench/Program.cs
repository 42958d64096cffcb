using Quickq.Bench;
using Quickq.Bench.Contestants;

// Usage: tests/bench/run.sh [NAME...] [options]. A contestant that must have a process of its own is this program again.
return args is ["contestant", .. var what] ? await ClientAlone.RunAsync(what) : await BenchRun.RunAsync(args);
