using Quickq.Spool;

namespace Quickq.SpoolCli.Output;

/// <summary>Rows under a heading, columns as wide as they need; numbers to the right.</summary>
internal sealed class TextTable
{
    private const string Gap = "  ";
    private readonly (string Heading, bool Right)[] _columns;
    private readonly List<Cell[]> _rows = [];

    /// <summary>Takes the headings; one that begins with <c>&gt;</c> makes its column flush right.</summary>
    public TextTable(params string[] headings) =>
        _columns = [.. headings.Select(heading => (heading.TrimStart('>'), heading.StartsWith('>')))];

    /// <summary>Adds a row. What is in its cells is data: it is shown, and steers nothing.</summary>
    public void Add(params ReadOnlySpan<Cell> cells)
    {
        var row = new Cell[cells.Length];
        for (var i = 0; i < row.Length; i++)
        {
            row[i] = cells[i] with { Text = SafeText.OneLine(cells[i].Text) };
        }

        _rows.Add(row);
    }

    public void Write(TextWriter output, AnsiColors palette)
    {
        var widths = new int[_columns.Length];
        for (var i = 0; i < widths.Length; i++)
        {
            widths[i] = Math.Max(_columns[i].Heading.Length, _rows.Select(row => row[i].Text.Length).DefaultIfEmpty().Max());
        }

        WriteRow(output, palette, widths, [.. _columns.Select(column => new Cell(column.Heading, Colour.Faint))]);
        foreach (var row in _rows)
        {
            WriteRow(output, palette, widths, row);
        }
    }

    private void WriteRow(TextWriter output, AnsiColors palette, int[] widths, Cell[] cells)
    {
        var last = Array.FindLastIndex(cells, cell => cell.Text.Length > 0);
        for (var i = 0; i <= last; i++)
        {
            var padding = new string(' ', widths[i] - cells[i].Text.Length);
            output.Write(i == 0 ? "" : Gap);
            output.Write(_columns[i].Right ? padding : "");
            output.Write(palette.Paint(cells[i].Text, cells[i].Colour));
            output.Write(_columns[i].Right || i == last ? "" : padding);
        }

        output.Write('\n');
    }
}

/// <summary>One cell of a table.</summary>
internal readonly record struct Cell(string Text, Colour Colour = Colour.None)
{
    public static implicit operator Cell(string text) => new(text);
}
