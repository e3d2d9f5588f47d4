/**
 * Runs every contender once a round, so that whatever slows the machine for a while slows all of them. Each round begins with the
 * next contender: none always has the same predecessor's heat and leftovers first.
 */
export async function inRounds<Contender, Result>(
  contenders: readonly Contender[],
  rounds: number,
  run: (contender: Contender, round: number) => Promise<Result>,
): Promise<Map<Contender, Result[]>> {
  const results = new Map<Contender, Result[]>(contenders.map((contender) => [contender, []]));
  for (let round = 0; round < rounds; round += 1) {
    const first = round % contenders.length;
    for (const contender of [...contenders.slice(first), ...contenders.slice(0, first)]) {
      results.get(contender)?.push(await run(contender, round));
    }
  }
  return results;
}
