using System.Diagnostics.CodeAnalysis;

namespace Quickq.SpoolCli.Service;

/// <summary>What waits for its turn: the accounts take turns, and what belongs to one account keeps its order. Used under the lock of its owner.</summary>
internal sealed class AccountQueue<T>
    where T : notnull
{
    private readonly Dictionary<uint, Queue<T>> _byAccount = [];
    private readonly Queue<Queue<T>> _turns = new(); // of the accounts for which anything waits

    public int Count { get; private set; }

    public void Enqueue(uint uid, T item)
    {
        if (!_byAccount.TryGetValue(uid, out Queue<T>? own))
        {
            _byAccount[uid] = own = new Queue<T>();
        }

        if (own.Count == 0)
        {
            _turns.Enqueue(own);
        }

        own.Enqueue(item);
        Count++;
    }

    /// <summary>What <see cref="Dequeue"/> gives next.</summary>
    public bool TryPeek([MaybeNullWhen(false)] out T next)
    {
        next = default;
        return _turns.TryPeek(out Queue<T>? own) && own.TryPeek(out next);
    }

    /// <summary>The first of the account whose turn it is; the next turn is that of another, where one waits.</summary>
    public T Dequeue()
    {
        Queue<T> own = _turns.Dequeue();
        T next = own.Dequeue();
        Count--;
        if (own.Count > 0)
        {
            _turns.Enqueue(own);
        }

        return next;
    }

    /// <summary>Takes out, from the front of each account's queue, all that <paramref name="isUnwanted"/>; the turns stay.</summary>
    public List<T> RemoveFirst(Predicate<T> isUnwanted)
    {
        var removed = new List<T>();
        for (int accounts = _turns.Count; accounts > 0; accounts--)
        {
            Queue<T> own = _turns.Dequeue();
            while (own.TryPeek(out T? next) && isUnwanted(next))
            {
                removed.Add(own.Dequeue());
            }

            if (own.Count > 0)
            {
                _turns.Enqueue(own);
            }
        }

        Count -= removed.Count;
        return removed;
    }
}
