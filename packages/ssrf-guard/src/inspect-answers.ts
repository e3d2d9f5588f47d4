import { type InspectedAddress, inspectAddress } from './classify.ts';

/** What is no address in an answer counts as one of class `invalid`, and so refuses the whole answer. */
export function inspectAnswers(addresses: readonly string[]): readonly InspectedAddress[] {
  return addresses.map((text) => inspectAddress(text) ?? invalidAnswer(text));
}

function invalidAnswer(text: unknown): InspectedAddress {
  return { text: String(text).slice(0, 64), class: 'invalid', address: { family: 4, bits: 0 }, isOpenable: false };
}
