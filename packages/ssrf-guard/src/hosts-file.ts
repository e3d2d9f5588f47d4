import { readFile, stat } from 'node:fs/promises';
import { parseAddress } from './parse-address.ts';

export interface HostsFile {
  /** The addresses the file gives `name` (lower case), in its order. Reads the file again when it has changed. */
  lookUp(name: string): Promise<readonly string[]>;
}

type Entries = ReadonlyMap<string, readonly string[]>;

const NOTHING: Entries = new Map();

/** A file in the format of hosts(5). A file that is not there has no entries; one that cannot be read is an error. */
export function openHostsFile(path: string): HostsFile {
  let stamp: string | undefined;
  let entries = NOTHING;

  async function load(): Promise<Entries> {
    const { mtimeNs, size, ino } = await stat(path, { bigint: true });
    const present = `${mtimeNs} ${size} ${ino}`;
    if (present !== stamp) {
      entries = parseHosts(await readFile(path, 'utf8'));
      stamp = present;
    }
    return entries;
  }

  return {
    async lookUp(name) {
      try {
        return (await load()).get(name) ?? [];
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
        throw error;
      }
    },
  };
}

/** Lines of an address and its names; `#` begins a comment. Lines without a plain address (zone ids) are passed over. */
export function parseHosts(text: string): Entries {
  const entries = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [address = '', ...names] = (line.split('#', 1)[0] ?? '').split(/\s+/).filter((word) => word !== '');
    if (parseAddress(address) === undefined) continue;
    for (const name of names) {
      const key = name.toLowerCase().replace(/\.$/, '');
      const known = entries.get(key);
      if (known === undefined) entries.set(key, [address]);
      else if (!known.includes(address)) known.push(address);
    }
  }
  return entries;
}
