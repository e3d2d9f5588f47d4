import { BlockList, isIP } from 'node:net';

/** Whether every address of network `inner` lies in one of `outer`. What is no network lies in none. */
export function cidrWithin(inner: string, outer: readonly string[]): boolean {
  const network = readNetwork(inner);
  if (network === undefined) return false;
  return outer.some((text) => {
    const around = readNetwork(text);
    if (around === undefined || around.family !== network.family || around.length > network.length) return false;
    const block = new BlockList();
    block.addSubnet(around.address, around.length, around.family);
    return block.check(network.address, network.family);
  });
}

interface Network {
  readonly family: 'ipv4' | 'ipv6';
  readonly address: string;
  readonly length: number;
}

function readNetwork(text: string): Network | undefined {
  const [address = '', lengthText, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return undefined;
  const lengthMax = version === 4 ? 32 : 128;
  if (lengthText !== undefined && !/^\d{1,3}$/.test(lengthText)) return undefined;
  const length = lengthText === undefined ? lengthMax : Number(lengthText);
  if (length > lengthMax) return undefined;
  return { family: version === 4 ? 'ipv4' : 'ipv6', address, length };
}
