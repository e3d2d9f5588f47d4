import { formatAddress } from './format-address.ts';
import { type Address, parseAddress, type Words } from './parse-address.ts';

/** A block of addresses as integers, ready to compare. */
export type Block = Ipv4Block | Ipv6Block;

interface Ipv4Block {
  readonly family: 4;
  readonly length: number;
  readonly base: number;
  readonly mask: number;
}

interface Ipv6Block {
  readonly family: 6;
  readonly length: number;
  readonly base: Words;
  readonly mask: Words;
}

/**
 * Parses `address/length`; a bare address is the block of that one address, a block inside `::ffff:0:0/96` is the IPv4 block
 * it stands for. Throws a `TypeError` that names the fault and, where there is one, the right form.
 */
export function parseCidr(text: string): Block {
  const slash = text.indexOf('/');
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) throw new TypeError(`"${text}" is not a CIDR: it must begin with an IPv4 or IPv6 address`);
  const lengthMax = address.family === 4 ? 32 : 128;
  const length = slash < 0 ? lengthMax : parseLength(text.slice(slash + 1));
  if (length === undefined || length > lengthMax) {
    throw new TypeError(`"${text}" is not a CIDR: the length after "/" must be a whole number from 0 to ${lengthMax}`);
  }
  const block = toBlock(address, length);
  if (formatAddress(baseOf(block)) !== formatAddress(address)) {
    throw new TypeError(`"${text}" is not a CIDR: bits are set after its length; the block is ${formatBlock(block)}`);
  }
  return withoutMapping(block);
}

export function contains(block: Block, address: Address): boolean {
  if (block.family === 4) return address.family === 4 && (address.bits & block.mask) >>> 0 === block.base;
  return address.family === 6 && address.words.every((word, i) => (word & block.mask[i]!) >>> 0 === block.base[i]);
}

function parseLength(text: string): number | undefined {
  return /^(?:0|[1-9][0-9]{0,2})$/.test(text) ? Number(text) : undefined;
}

function toBlock(address: Address, length: number): Block {
  if (address.family === 4) {
    const mask = maskOf(length);
    return { family: 4, length, base: (address.bits & mask) >>> 0, mask };
  }
  const mask = [0, 32, 64, 96].map((start) => maskOf(length - start)) as unknown as Words;
  const base = address.words.map((word, i) => (word & mask[i]!) >>> 0) as unknown as Words;
  return { family: 6, length, base, mask };
}

/** 32 bits of which the first `length` are set; lengths outside 0..32 count as the nearer end. */
function maskOf(length: number): number {
  if (length <= 0) return 0;
  return length >= 32 ? 0xffffffff : (0xffffffff << (32 - length)) >>> 0;
}

function baseOf(block: Block): Address {
  return block.family === 4 ? { family: 4, bits: block.base } : { family: 6, words: block.base };
}

function formatBlock(block: Block): string {
  return `${formatAddress(baseOf(block))}/${block.length}`;
}

function withoutMapping(block: Block): Block {
  if (block.family === 4 || block.length < 96) return block;
  const [first, second, third, fourth] = block.base;
  if (first !== 0 || second !== 0 || third !== 0xffff) return block;
  return toBlock({ family: 4, bits: fourth }, block.length - 96);
}
