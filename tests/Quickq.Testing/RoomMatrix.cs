using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using Mono.Cecil;
using Mono.Cecil.Cil;

namespace Quickq.Testing;

/// <summary>Which folder of a project uses which, by the types that its compiled code names: those of method bodies and of internal members too.</summary>
public static partial class RoomMatrix
{
    /// <summary>The room of what stands in the project's own folder.</summary>
    public const string Top = "(top)";

    /// <summary>A line for each room, in order: its name, a colon and the rooms that it uses, in order.</summary>
    /// <param name="assembly">The project's assembly.</param>
    /// <param name="folder">The project's folder, with the source of all its types.</param>
    public static IReadOnlyList<string> Of(Assembly assembly, string folder)
    {
        Dictionary<string, string> rooms = RoomsByType(folder);
        SortedDictionary<string, SortedSet<string>> used = new(StringComparer.Ordinal);
        foreach (string room in rooms.Values)
        {
            used.TryAdd(room, new SortedSet<string>(StringComparer.Ordinal));
        }

        using var module = ModuleDefinition.ReadModule(assembly.Location);
        foreach (TypeDefinition type in module.Types.Where(type => rooms.ContainsKey(NameOf(type))))
        {
            string room = rooms[NameOf(type)];
            used[room].UnionWith(References(type).Select(NameOf).Where(rooms.ContainsKey).Select(name => rooms[name]).Where(other => !string.Equals(other, room, StringComparison.Ordinal)));
        }

        return [.. used.Select(room => string.Create(CultureInfo.InvariantCulture, $"{room.Key}: {string.Join(' ', room.Value)}").TrimEnd())];
    }

    /// <summary>The rooms of the lines in an order in which each uses only earlier ones; those that are in a circle, or above one, are missing.</summary>
    public static IReadOnlyList<string> Sort(IReadOnlyList<string> lines)
    {
        var left = lines.Select(line => line.Split(':')).ToDictionary(
            parts => parts[0], parts => parts[1].Split(' ', StringSplitOptions.RemoveEmptyEntries).ToHashSet(StringComparer.Ordinal), StringComparer.Ordinal);
        var sorted = new List<string>();
        while (left.Where(room => room.Value.IsSubsetOf(sorted)).Select(room => room.Key).Order(StringComparer.Ordinal).FirstOrDefault() is { } next)
        {
            sorted.Add(next);
            left.Remove(next);
        }

        return sorted;
    }

    private static Dictionary<string, string> RoomsByType(string folder)
    {
        var rooms = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (string file in Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories))
        {
            string[] place = Path.GetRelativePath(folder, file).Split('/');
            foreach (Match type in TypeDeclaration().Matches(File.ReadAllText(file)))
            {
                rooms[type.Groups["name"].Value] = place.Length == 1 ? Top : place[0];
            }
        }

        return rooms;
    }

    private static IEnumerable<TypeReference> References(TypeDefinition type)
    {
        foreach (TypeReference named in type.Interfaces.Select(each => each.InterfaceType).Concat(type.Fields.Select(field => field.FieldType))
            .Concat(type.Properties.Select(property => property.PropertyType)).Append(type.BaseType).SelectMany(Parts))
        {
            yield return named;
        }

        foreach (MethodDefinition method in type.Methods)
        {
            IEnumerable<TypeReference?> signature = method.Parameters.Select(parameter => parameter.ParameterType).Append(method.ReturnType);
            IEnumerable<TypeReference?> body = method.HasBody ? method.Body.Variables.Select(variable => variable.VariableType).Concat(method.Body.Instructions.SelectMany(Named)) : [];
            foreach (TypeReference named in signature.Concat(body).SelectMany(Parts))
            {
                yield return named;
            }
        }

        foreach (TypeReference named in type.NestedTypes.SelectMany(References))
        {
            yield return named;
        }
    }

    private static IEnumerable<TypeReference?> Named(Instruction instruction) => instruction.Operand switch
    {
        TypeReference type => [type],
        FieldReference field => [field.DeclaringType, field.FieldType],
        GenericInstanceMethod method => [method.DeclaringType, method.ReturnType, .. method.GenericArguments],
        MethodReference method => [method.DeclaringType, method.ReturnType],
        _ => [],
    };

    private static IEnumerable<TypeReference> Parts(TypeReference? type) => type switch
    {
        null => [],
        GenericInstanceType generic => generic.GenericArguments.SelectMany(Parts).Append(generic.ElementType),
        TypeSpecification specification => Parts(specification.ElementType),
        _ => [type],
    };

    private static string NameOf(TypeReference type)
    {
        TypeReference outer = type;
        while (outer.DeclaringType is { } declaring)
        {
            outer = declaring;
        }

        return outer.Name.Split('`')[0];
    }

    [GeneratedRegex(@"^(?:(?:public|internal|static|sealed|abstract|partial|unsafe|readonly|ref) )*(?:class|struct|interface|enum|record(?: struct| class)?|delegate [\w<>?\[\]]+) (?<name>\w+)", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex TypeDeclaration();
}
