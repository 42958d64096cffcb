using System.CommandLine;
using Quickq.Spool;

namespace Quickq.SpoolCli.CommandLine;

/// <summary>
/// Puts what was typed into the one form that System.CommandLine cannot misread, or says what is wrong with it.
/// </summary>
/// <remarks>
/// A mistyped option must never become a message, and a message never an option. Left to itself the library takes an
/// unknown <c>--lins</c> as an argument, drops a first argument such as <c>[diagram]</c> or one that equals the verb's
/// name, and reads the word after <c>--wait</c> or an empty <c>--topic=</c> as a value. So the tokens are judged here and handed on as: verb, options,
/// <c>--</c>, arguments.
/// </remarks>
internal sealed class StrictArguments
{
    private readonly Command _syntax;
    private readonly Option _help;
    private readonly List<(Option Option, string? Value)> _options = [];
    private readonly List<string> _arguments = [];
    private readonly HashSet<Option> _seen = [];

    private StrictArguments(Command syntax, Option help)
    {
        _syntax = syntax;
        _help = help;
    }

    /// <summary>Judges what was typed; null when help is asked for.</summary>
    public static StrictArguments? Read(Command syntax, Option help, ReadOnlySpan<string> typed)
    {
        var reading = new StrictArguments(syntax, help);
        return reading.Walk(typed) ? reading : null;
    }

    /// <summary>The tokens for System.CommandLine, the command's name first.</summary>
    public string[] Tokens => [_syntax.Name, .. _options.SelectMany(ForParser), .. Arguments];

    /// <summary>The command line for another <c>quickq-spool</c>, without the options named here.</summary>
    public string[] Without(IReadOnlyCollection<string> names) =>
    [
        _syntax.Name,
        .. _options.Where(option => !names.Contains(option.Option.Name, StringComparer.Ordinal)).Select(option => option.Value is null ? option.Option.Name : $"{option.Option.Name}={option.Value}"),
        .. Arguments,
    ];

    /// <summary>The first of these options that was given, or null.</summary>
    public string? FirstOf(params string[] names) => Array.Find(names, Has);

    public bool Has(string name) => _options.Exists(typed => string.Equals(typed.Option.Name, name, StringComparison.Ordinal));

    /// <summary>The value of an option, or null when it was not given.</summary>
    public string? ValueOf(string name) => _options.Find(typed => string.Equals(typed.Option.Name, name, StringComparison.Ordinal)).Value;

    private string[] Arguments => _arguments.Count > 0 ? ["--", .. _arguments] : [];

    private static string[] ForParser((Option Option, string? Value) typed) =>
        typed.Value is null ? [typed.Option.Name]
        : typed.Value.StartsWith('-') ? [$"{typed.Option.Name}={typed.Value}"]
        : [typed.Option.Name, typed.Value];

    private bool Walk(ReadOnlySpan<string> typed)
    {
        for (var i = 0; i < typed.Length; i++)
        {
            var token = typed[i];
            if (!token.StartsWith('-'))
            {
                _arguments.Add(token);
            }
            else if (token is "--")
            {
                _arguments.AddRange(typed[(i + 1)..]);
                return true;
            }
            else if (!TakeOption(token, i + 1 < typed.Length ? typed[i + 1] : null, ref i))
            {
                return false;
            }
        }

        return true;
    }

    private bool TakeOption(string token, string? next, ref int i)
    {
        var equals = token.IndexOf('=');
        var name = equals < 0 ? token : token[..equals];
        var value = equals < 0 ? null : token[(equals + 1)..];
        var option = Find(name) ?? throw Unknown(name);
        if (option == _help)
        {
            return false;
        }

        if (!_seen.Add(option) && option.Arity.MaximumNumberOfValues <= 1)
        {
            throw CommandException.WrongUse($"{option.Name} is given twice", "give it once");
        }

        if (option.Arity.MaximumNumberOfValues == 0)
        {
            RefuseValue(name, value);
            _options.Add((option, null));
        }
        else if (value is null && option.Arity.MinimumNumberOfValues == 0)
        {
            RefuseDurationBehind(name, next);
            _options.Add((option, null));
        }
        else
        {
            TakeValue(option, name, value, next, ref i);
        }

        return true;
    }

    private void TakeValue(Option option, string name, string? value, string? next, ref int i)
    {
        if (value is null)
        {
            // A lone '-' is the usual name of standard input, and the only value with a dash that can be meant.
            if (next is null || (next.StartsWith('-') && !(next is "-" && option.Name is "--file")))
            {
                throw CommandException.WrongUse(
                    $"{name} needs a value: {name} {option.HelpName}",
                    next is null ? null : $"a value that begins with '-' is written {name}={next}");
            }

            value = next;
            i++;
        }

        _options.Add((option, value));
    }

    /// <summary>Options with an optional value take it after <c>=</c>; a duration behind one is that value, not a message.</summary>
    private static void RefuseDurationBehind(string name, string? next)
    {
        if (Duration.TryParse(next, out _))
        {
            throw CommandException.WrongUse($"{name} takes its value after '=': {name}={next}", $"'{next}' as an argument goes after '--'");
        }
    }

    private static void RefuseValue(string name, string? value)
    {
        if (value is not null)
        {
            throw CommandException.WrongUse($"{name} takes no value", $"write {name} alone");
        }
    }

    private Option? Find(string name)
    {
        foreach (var option in _syntax.Options)
        {
            if (string.Equals(option.Name, name, StringComparison.Ordinal) || option.Aliases.Contains(name))
            {
                return option;
            }
        }

        return null;
    }

    private CommandException Unknown(string name)
    {
        var guess = Spelling.Nearest(name, _syntax.Options.SelectMany(option => option.Aliases.Prepend(option.Name)));
        var hint = guess is not null ? $"did you mean {guess}?"
            : name is "-" && Find("--file") is not null ? "standard input is read when no message is given, or with --file -."
            : $"see quickq-spool {_syntax.Name} --help.";
        return CommandException.WrongUse(
            name is "-" ? "'-' alone is no option" : $"unknown option {name}",
            _syntax.Name is "add" ? $"{hint} A message that begins with '-' goes after '--'" : hint.TrimEnd('.'));
    }
}
