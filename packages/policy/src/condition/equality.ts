import { charge, type Evaluation } from './term.ts';
import {
  Duration,
  hasKey,
  isList,
  itemAt,
  keysOf,
  kindOf,
  lengthOf,
  MadeList,
  MadeMap,
  Timestamp,
  TypeValue,
  type Value,
  valueUnder,
} from './value.ts';

/** Values of different kinds are unequal, but for numbers, which are compared by what they are worth. */
export function equals(left: Value, right: Value, at: Evaluation, position: number): boolean {
  if (typeof left === 'string' && typeof right === 'string') return equalStrings(left, right, at, position);
  if (typeof left !== 'object' || left === null || typeof right !== 'object' || right === null) {
    // JavaScript orders a bigint and a number exactly.
    return left === right || (isNumber(left) && isNumber(right) && left <= right && left >= right);
  }
  return equalObjects(left, right, at, position);
}

const CHARACTERS_PER_STEP = 16;

function equalStrings(left: string, right: string, at: Evaluation, position: number): boolean {
  if (left.length !== right.length) return false;
  if (left.length > CHARACTERS_PER_STEP) charge(at, Math.ceil(left.length / CHARACTERS_PER_STEP), position);
  return left === right;
}

function isNumber(value: Value): value is bigint | number {
  return typeof value === 'bigint' || typeof value === 'number';
}

function equalObjects(left: object, right: object, at: Evaluation, position: number): boolean {
  if (isList(left)) return isList(right) && equalLists(left, right, at, position);
  if (left instanceof Timestamp) return right instanceof Timestamp && left.nanos === right.nanos;
  if (left instanceof Duration) return right instanceof Duration && left.nanos === right.nanos;
  if (left instanceof TypeValue) return right instanceof TypeValue && left.name === right.name;
  return kindOf(right) === 'map' && equalMaps(left, right, at, position);
}

type List = MadeList | readonly unknown[];

function equalLists(left: List, right: List, at: Evaluation, position: number): boolean {
  const length = lengthOf(left);
  if (length !== lengthOf(right)) return false;
  for (let index = 0; index < length; index += 1) {
    charge(at, 1, position);
    if (!equals(itemAt(left, index, position), itemAt(right, index, position), at, position)) return false;
  }
  return true;
}

function equalMaps(left: object, right: object, at: Evaluation, position: number): boolean {
  const keys = keysOf(left);
  charge(at, keys.length, position);
  if (keys.length !== sizeOf(right)) return false;
  for (const key of keys) {
    if (!hasKey(right, key)) return false;
    if (!equals(valueUnder(left, key, position), valueUnder(right, key, position), at, position)) return false;
  }
  return true;
}

function sizeOf(map: object): number {
  return map instanceof MadeMap ? map.entries.size : Object.keys(map).length;
}

/** Whether `list` holds `value`. An item without a value is a fault only when no other item decides. */
export function contains(list: List, value: Value, at: Evaluation, position: number): boolean {
  const items = list instanceof MadeList ? list.items : list;
  const stepsEach = typeof value === 'string' ? 1 + Math.floor(value.length / CHARACTERS_PER_STEP) : 1;
  charge(at, items.length * stepsEach, position);
  if (typeof value === 'string' && items.includes(value)) return true;
  for (let index = 0; index < items.length; index += 1) {
    if (equals(itemAt(list, index, position), value, at, position)) return true;
  }
  return false;
}
