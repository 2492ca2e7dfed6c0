"""Which instances the manifest names, with which parameters, and which of them are missing. Pure.

A group of the manifest names accounts, or organisational units: what accounts a unit has only AWS
knows, so a unit is there in a region as soon as one instance was made there for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from calamari_py.steps.cloudformation.sections import InstancesSection
from calamari_py.steps.cloudformation.sets.values import Instance, Place, Target

Overrides = Mapping[str, str]
_Frozen = tuple[tuple[str, str], ...]


def wanted_overrides(
    groups: Sequence[InstancesSection], instance: Instance
) -> dict[str, str] | None:
    """The parameters that the manifest wants to differ in this instance; None when it does not name
    the instance."""
    for group in groups:
        if instance.region in group.regions and _names(group, instance):
            return _overrides_of(group, instance.account)
    return None


def named(groups: Sequence[InstancesSection], there: Iterable[Instance]) -> tuple[Instance, ...]:
    """The instances that the manifest names."""
    return tuple(one for one in there if wanted_overrides(groups, one) is not None)


def missing_targets(
    groups: Sequence[InstancesSection], there: Collection[Instance]
) -> tuple[Target, ...]:
    """What has to be made: places with the same parameters and regions together."""
    places = {one.place for one in there}
    found: list[Target] = []
    for group in groups:
        if not group.organizational_units or group.account_filter == "intersection":
            found += _missing_accounts(group, group.accounts or (), places)
        else:
            found += _missing_units(group, {(one.unit, one.region) for one in there})
            found += _missing_accounts(group, _special(group), places)
    return tuple(found)


def together(wanted: Iterable[tuple[Instance, Overrides | None]]) -> tuple[Target, ...]:
    """Instances that are there, with the parameters that each is to have (None: those it has), as
    few targets: no target reaches another place than these."""
    regions: dict[tuple[str, str, _Frozen | None], list[str]] = {}
    for instance, overrides in wanted:
        frozen = None if overrides is None else _frozen(overrides)
        key = (instance.account, instance.unit, frozen)
        regions.setdefault(key, []).append(instance.region)
    accounts: dict[tuple[str, _Frozen | None, tuple[str, ...]], list[str]] = {}
    for (account, unit, frozen), places in regions.items():
        accounts.setdefault((unit, frozen, tuple(sorted(places))), []).append(account)
    return tuple(
        Target(
            regions=places,
            accounts=tuple(names),
            units=(unit,) if unit else (),
            account_filter="INTERSECTION" if unit else "",
            overrides=None if frozen is None else dict(frozen),
        )
        for (unit, frozen, places), names in accounts.items()
    )


def expected_places(groups: Sequence[InstancesSection]) -> tuple[Place, ...]:
    """The places that can be told from the manifest alone."""
    found: dict[Place, None] = {}
    for group in groups:
        if not group.organizational_units or group.account_filter == "intersection":
            for account in group.accounts or ():
                found.update(dict.fromkeys((account, region) for region in group.regions))
    return tuple(found)


def _names(group: InstancesSection, instance: Instance) -> bool:
    """Whether the group's accounts and units have the instance's."""
    has_account = instance.account in (group.accounts or ())
    if not group.organizational_units:
        return has_account
    has_unit = instance.unit in group.organizational_units
    match group.account_filter:
        case "intersection":
            return has_account
        case "difference":
            return has_unit and not has_account
        case _:
            return has_unit


def _overrides_of(group: InstancesSection, account: str) -> dict[str, str]:
    own = group.account_parameters.get(account, {})
    return {key: _joined(value) for key, value in {**group.parameters, **own}.items()}


def _special(group: InstancesSection) -> tuple[str, ...]:
    """Accounts of the group's units that have parameters of their own."""
    excluded = (group.accounts or ()) if group.account_filter == "difference" else ()
    return tuple(account for account in group.account_parameters if account not in excluded)


def _missing_accounts(
    group: InstancesSection, accounts: Iterable[str], places: Collection[Place]
) -> list[Target]:
    units = group.organizational_units or ()
    found: dict[tuple[_Frozen, tuple[str, ...]], list[str]] = {}
    for account in accounts:
        regions = tuple(region for region in group.regions if (account, region) not in places)
        if regions:
            key = (_frozen(_overrides_of(group, account)), regions)
            found.setdefault(key, []).append(account)
    return [
        Target(
            regions=regions,
            accounts=tuple(names),
            units=tuple(units),
            account_filter="INTERSECTION" if units else "",
            overrides=dict(frozen),
        )
        for (frozen, regions), names in found.items()
    ]


def _missing_units(group: InstancesSection, there: Collection[tuple[str, str]]) -> list[Target]:
    """The units as a whole, without the accounts that have parameters of their own."""
    excluded = (group.accounts or ()) if group.account_filter == "difference" else ()
    without = (*excluded, *_special(group))
    found: dict[tuple[str, ...], list[str]] = {}
    for unit in group.organizational_units or ():
        regions = tuple(region for region in group.regions if (unit, region) not in there)
        if regions:
            found.setdefault(regions, []).append(unit)
    return [
        Target(
            regions=regions,
            accounts=without,
            units=tuple(units),
            account_filter="DIFFERENCE" if without else "",
            overrides=_overrides_of(group, ""),
        )
        for regions, units in found.items()
    ]


def _frozen(overrides: Overrides) -> _Frozen:
    return tuple(sorted(overrides.items()))


def _joined(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else ",".join(value)
