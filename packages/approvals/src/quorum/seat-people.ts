/** A person whose approval counts, with the asked-for groups they are in. */
export interface SeatedPerson {
  readonly person: string;
  readonly groups: readonly string[];
}

/** Seats that nobody has taken. One more person of any of `groups` would take one, if need be by somebody else moving over. */
export interface MissingSeats {
  readonly groups: readonly string[];
  readonly count: number;
}

/**
 * Gives each person at most one seat, so that as many seats as possible are taken: each group has `seatsPerGroup`. A person in two groups
 * fills one seat, whichever serves best, so nobody meets two groups' demand alone. (A maximum matching, by augmenting paths.)
 */
export function seatPeople(
  people: readonly SeatedPerson[],
  groups: readonly string[],
  seatsPerGroup: number,
): readonly MissingSeats[] {
  const seated = new Map<string, SeatedPerson[]>(groups.map((group) => [group, []]));
  for (const person of people) seat(person, { seated, seatsPerGroup }, new Set());
  return groups.flatMap((group) => {
    const count = seatsPerGroup - (seated.get(group)?.length ?? 0);
    return count > 0 ? [{ groups: groupsThatHelp(group, seated), count }] : [];
  });
}

interface Seating {
  readonly seated: Map<string, SeatedPerson[]>;
  readonly seatsPerGroup: number;
}

/** Takes a free seat in one of the person's groups, or makes one free by moving others. */
function seat(person: SeatedPerson, seating: Seating, tried: Set<string>): boolean {
  for (const group of person.groups) {
    const sitting = seating.seated.get(group);
    if (sitting === undefined || tried.has(group)) continue;
    tried.add(group);
    if (sitting.length < seating.seatsPerGroup) {
      sitting.push(person);
      return true;
    }
    const moved = sitting.findIndex((other) => seat(other, seating, tried));
    if (moved >= 0) {
      sitting[moved] = person;
      return true;
    }
  }
  return false;
}

/** `lacking`, and each group out of which somebody could move over, in one step or several, if a newcomer took their seat there. */
function groupsThatHelp(lacking: string, seated: ReadonlyMap<string, readonly SeatedPerson[]>): readonly string[] {
  const helping = new Set([lacking]);
  for (const reached of helping) {
    for (const [group, sitting] of seated) {
      if (sitting.some((person) => person.groups.includes(reached))) helping.add(group);
    }
  }
  return [...helping];
}
