"""Seeds of the members of ensembles."""

from surrogate_modeling.training.members import member_seed


def test_ensembles_of_different_seeds_share_no_member() -> None:
    seeds = [member_seed(seed, member) for seed in range(100) for member in range(5)]
    assert len(set(seeds)) == 500
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_the_first_member_is_the_network_of_that_seed_and_the_others_do_not_depend_on_their_number() -> None:
    assert member_seed(42, 0) == 42
    assert member_seed(42, 1) == member_seed(42, 1) != member_seed(43, 1)
