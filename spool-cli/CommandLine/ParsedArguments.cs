using Quickq.Spool;

namespace Quickq.SpoolCli.CommandLine;

/// <summary>The options and arguments of a command line, or the error that says what is wrong with it.</summary>
/// <remarks>
/// A mistyped option never becomes a message, and a message never an option: a word that begins with a dash is an option unless <c>--</c> stands before it. No library
/// reads it: those that were tried take an unknown option for an argument, or the word behind an optional value for that value.
/// </remarks>
internal sealed class ParsedArguments
{
    private readonly Command _syntax;
    private readonly Option _help;
    private readonly List<(Option Option, string? Value)> _options = [];
    private readonly List<string> _arguments = [];

    private ParsedArguments(Command syntax, Option help)
    {
        _syntax = syntax;
        _help = help;
    }

    /// <summary>Reads what was typed behind the command's name; null when help is asked for.</summary>
    /// <exception cref="CommandException">A usage error.</exception>
    public static ParsedArguments? Read(Command syntax, Option help, ReadOnlySpan<string> typed)
    {
        var reading = new ParsedArguments(syntax, help);
        if (!reading.Walk(typed))
        {
            return null;
        }

        return syntax.Arguments is null && reading._arguments is [var first, ..]
            ? throw CommandException.WrongUse($"{syntax.Name} takes no arguments: '{first}'", $"see quickq-spool {syntax.Name} --help")
            : reading;
    }

    /// <summary>The arguments, without the options.</summary>
    public IReadOnlyList<string> Arguments => _arguments;

    public bool Has(Option option) => _options.Exists(typed => typed.Option == option);

    /// <summary>The value of an option; null when it was not given, or without one.</summary>
    public string? ValueOf(Option option) => _options.Find(typed => typed.Option == option).Value;

    /// <summary>The values of an option that may be repeated.</summary>
    public IReadOnlyList<string> ValuesOf(Option option) => [.. _options.Where(typed => typed.Option == option).Select(typed => typed.Value!)];

    public bool Has(string name) => FirstOf(name) is not null;

    public string? ValueOf(string name) => _options.Find(typed => string.Equals(typed.Option.Name, name, StringComparison.Ordinal)).Value;

    /// <summary>The first of these options that was given, or null.</summary>
    public string? FirstOf(params string[] names) => Array.Find(names, name => _options.Exists(typed => string.Equals(typed.Option.Name, name, StringComparison.Ordinal)));

    /// <summary>The command line for another <c>quickq-spool</c>, the command's name first, without the options named here.</summary>
    public string[] Without(IReadOnlyCollection<string> names) =>
    [
        _syntax.Name,
        .. _options.Where(typed => !names.Contains(typed.Option.Name, StringComparer.Ordinal)).Select(typed => typed.Value is null ? typed.Option.Name : $"{typed.Option.Name}={typed.Value}"),
        .. _arguments.Count > 0 ? _arguments.Prepend("--") : [],
    ];

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

        if (option.Values != OptionValues.Many && Has(option))
        {
            throw CommandException.WrongUse($"{option.Name} is given twice", "give it once");
        }

        if (option.Values == OptionValues.None)
        {
            RefuseValue(name, value);
            _options.Add((option, null));
        }
        else if (value is null && option.Values == OptionValues.OneOrNone)
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
                    $"{name} needs a value: {name} {option.ValueName}",
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

    private Option? Find(string name) => _syntax.Options.Find(option => option.Names.Contains(name, StringComparer.Ordinal));

    private CommandException Unknown(string name)
    {
        var guess = Spelling.Nearest(name, _syntax.Options.SelectMany(option => option.Names));
        var hint = guess is not null ? $"did you mean {guess}?"
            : name is "-" && Find("--file") is not null ? "standard input is read when no message is given, or with --file -."
            : $"see quickq-spool {_syntax.Name} --help.";
        return CommandException.WrongUse(
            name is "-" ? "'-' is not an option" : $"unknown option {name}",
            _syntax.Name is "add" ? $"{hint} A message that begins with '-' goes after '--'" : hint.TrimEnd('.'));
    }
}
