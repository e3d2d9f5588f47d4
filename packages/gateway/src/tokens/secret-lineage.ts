import { cachedSecret, type SecretVersion } from '../directory/secret-version.ts';

/** Versions of secrets remembered as replaced by rotation; older ones are in nobody's hands any more. */
const REMEMBERED_MAX = 10_000;

/**
 * Which version of a rotating secret came after which by rotation. A call may hold a version of the configuration that is a moment older than
 * a rotation; what it means is the newest of the same line, never a version that a person has written since. Also keeps the rotations of one
 * secret apart: a refresh token can be used once.
 */
export class SecretLineage {
  readonly #next = new Map<string, SecretVersion>();
  readonly #turns = new Map<string, Promise<unknown>>();

  record(from: SecretVersion, to: SecretVersion): void {
    if (this.#next.size >= REMEMBERED_MAX) this.#next.delete(this.#next.keys().next().value as string);
    this.#next.set(keyOf(from), to);
  }

  newest(version: SecretVersion): SecretVersion {
    let newest = version;
    for (let next = this.#next.get(keyOf(newest)); next !== undefined; next = this.#next.get(keyOf(newest)))
      newest = next;
    return newest;
  }

  /** Runs `task` when all given before for this secret, of whatever version, have ended. */
  inTurn<T>({ tenant, name }: SecretVersion, task: () => Promise<T>): Promise<T> {
    const place = `${tenant}\n${name}`;
    const before = this.#turns.get(place) ?? Promise.resolve();
    const run = before.then(task, task);
    const turn = run
      .catch(() => undefined)
      .then(() => {
        if (this.#turns.get(place) === turn) this.#turns.delete(place);
      });
    this.#turns.set(place, turn);
    return run;
  }
}

function keyOf(version: SecretVersion): string {
  return `${version.tenant}\n${cachedSecret(version).name}`;
}
