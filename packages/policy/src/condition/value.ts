import { Fault } from './fault.ts';
import { UNKEPT } from './unkept.ts';

/**
 * A value of the expression language. Ints are `bigint` and doubles `number`. Lists and maps that an expression makes are `MadeList`
 * and `MadeMap`; arrays and plain objects are facts as the caller gave them, in which a number is an int or a double by what it holds
 * (`fromFact`). Facts are never copied: what no expression touches costs nothing.
 */
export type Value = unknown;

export class MadeList {
  readonly items: readonly Value[];
  constructor(items: readonly Value[]) {
    this.items = items;
  }
}

export class MadeMap {
  readonly entries: ReadonlyMap<Value, Value>;
  constructor(entries: ReadonlyMap<Value, Value>) {
    this.entries = entries;
  }
}

/** Nanoseconds since the epoch. */
export class Timestamp {
  readonly nanos: bigint;
  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
}

/** Nanoseconds. */
export class Duration {
  readonly nanos: bigint;
  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
}

/** What `type()` answers. */
export class TypeValue {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

export type Kind =
  | 'string'
  | 'int'
  | 'double'
  | 'bool'
  | 'null_type'
  | 'list'
  | 'map'
  | 'google.protobuf.Timestamp'
  | 'google.protobuf.Duration'
  | 'type';

export function kindOf(value: Value): Kind {
  switch (typeof value) {
    case 'string':
      return 'string';
    case 'bigint':
      return 'int';
    case 'number':
      return 'double';
    case 'boolean':
      return 'bool';
    default:
      return kindOfObject(value);
  }
}

function kindOfObject(value: Value): Kind {
  if (value === null) return 'null_type';
  if (isList(value)) return 'list';
  if (value instanceof Timestamp) return 'google.protobuf.Timestamp';
  if (value instanceof Duration) return 'google.protobuf.Duration';
  return value instanceof TypeValue ? 'type' : 'map';
}

/** A part of the facts as a value. Throws for what JSON cannot say, for what was not kept, and for integers a double cannot hold. */
export function fromFact(raw: unknown, position: number): Value {
  switch (typeof raw) {
    case 'string':
    case 'boolean':
    case 'bigint':
      return raw;
    case 'number':
      return fromNumber(raw, position);
    case 'object':
      return raw;
    default:
      throw raw === UNKEPT
        ? new Fault('reads a value that was not kept', position, 'undetermined')
        : new Fault('reads what is no JSON value', position);
  }
}

/**
 * JSON has one kind of number: a whole one is an int, any other a double. Beyond 2^53 a reader may have rounded it, and the upstream
 * would see another number than the one judged.
 */
function fromNumber(raw: number, position: number): Value {
  if (Number.isSafeInteger(raw)) return BigInt(raw);
  if (Number.isFinite(raw) && !Number.isInteger(raw)) return raw;
  throw new Fault('reads a number too large to be exact', position);
}

export function isList(value: Value): value is MadeList | readonly unknown[] {
  return Array.isArray(value) || value instanceof MadeList;
}

export function isMap(value: Value): value is MadeMap | Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && kindOf(value) === 'map';
}

export function lengthOf(list: MadeList | readonly unknown[]): number {
  return list instanceof MadeList ? list.items.length : list.length;
}

export function itemAt(list: MadeList | readonly unknown[], index: number, position: number): Value {
  return list instanceof MadeList ? list.items[index] : fromFact(list[index], position);
}

/** The value under `key`, or undefined: no value is undefined. Ints and doubles that are equal are the same key. */
export function valueUnder(map: object, key: Value, position: number): Value | undefined {
  if (map instanceof MadeMap) return map.entries.get(mapKey(key));
  if (typeof key !== 'string' || !Object.hasOwn(map, key)) return undefined;
  return fromFact((map as Record<string, unknown>)[key], position);
}

export function hasKey(map: object, key: Value): boolean {
  if (map instanceof MadeMap) return map.entries.has(mapKey(key));
  return typeof key === 'string' && Object.hasOwn(map, key);
}

/** What a `MadeMap` keeps `key` under. */
export function mapKey(key: Value): Value {
  return typeof key === 'number' && Number.isInteger(key) ? BigInt(key) : key;
}

export function keysOf(map: object): readonly Value[] {
  return map instanceof MadeMap ? [...map.entries.keys()] : Object.keys(map);
}
