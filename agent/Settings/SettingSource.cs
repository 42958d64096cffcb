using System.Text.Json;
using Microsoft.Extensions.Configuration;

namespace Quickq.Agent.Settings;

/// <summary>Where each value comes from: the file with its type, or an environment variable, which is text and wins.</summary>
internal sealed class SettingSource(JsonOutline file, IReadOnlyDictionary<string, string> variables)
{
    /// <summary>The type of a value; an object when only variables name something within it.</summary>
    public JsonTokenType KindOf(IConfigurationSection value)
    {
        if (variables.ContainsKey(value.Path))
        {
            return JsonTokenType.String;
        }

        var kind = file.KindAt(value.Path);
        return kind == JsonTokenType.None ? JsonTokenType.StartObject : kind;
    }

    /// <summary>Names the variable behind a wrong value: nobody would look for it in the file.</summary>
    public string Suffix(string key) => variables.TryGetValue(key, out var variable) ? $" (from the environment variable {variable})" : "";
}
