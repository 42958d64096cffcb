namespace Quickq.Disruption.Tests;

/// <summary>Servers that are known by an alias, with a real name server: what moves is followed, what does not move does not flap.</summary>
/// <remarks>All of it waits by the clock, so <see cref="AliasScenes"/> play side by side, and beside the other tests of the collection: each test awaits its own.</remarks>
[Collection<CablesAndNamesCollection>]
public sealed class AliasTests(CablesAndNames here)
{
    private const int Longest = 300_000;

    [Fact(Timeout = Longest)]
    public Task An_alias_that_moves_while_its_old_address_lives_on_is_followed_within_75_seconds() => here.Scenes.Moved("alias.test");

    [Fact(Timeout = Longest)]
    public Task An_alias_that_moves_is_followed_where_the_name_server_refuses_to_say_whether_it_has_v6() => here.Scenes.Moved("alias.refused");

    [Fact(Timeout = Longest)]
    public Task An_alias_that_moves_is_followed_where_the_name_server_does_not_answer_for_v6() => here.Scenes.Moved("alias.silent");

    [Fact(Timeout = Longest)]
    public Task An_alias_whose_answers_rotate_among_all_addresses_is_left_alone() => here.Scenes.Rotating;

    [Fact(Timeout = Longest)]
    public Task An_alias_whose_answers_name_another_address_each_time_moves_once_in_five_minutes_at_most() => here.Scenes.Alternating;

    [Fact(Timeout = Longest)]
    public Task A_name_that_does_not_resolve_at_first_is_told_and_tried_until_it_does() => here.Scenes.Unknown;

    [Fact(Timeout = Longest)]
    public Task A_name_that_vanishes_is_no_move() => here.Scenes.Vanishing("vanishing.test");

    [Fact(Timeout = Longest)]
    public Task A_name_server_that_refuses_to_say_is_no_move() => here.Scenes.Vanishing("vanishing.refused");

    [Fact(Timeout = Longest)]
    public Task A_name_server_that_says_nothing_is_no_move() => here.Scenes.Vanishing("vanishing.silent");
}
