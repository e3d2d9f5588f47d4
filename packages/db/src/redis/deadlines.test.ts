import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { createDeadlines } from './deadlines.ts';

const never = () => new Promise<string>(() => undefined);
const endOf = (wait: Promise<string>) => wait.catch((error: Error) => error.message);

describe('waits of one length', () => {
  test('what is answered in time is given back, also a refusal', async () => {
    const within = createDeadlines(1_000);
    expect(await within('known')).toBe('known');
    expect(await within(Promise.resolve('answered'))).toBe('answered');
    expect(await endOf(within(Promise.reject(new Error('refused'))))).toBe('refused');
  });

  test('who is not answered hears so after the time, one behind the other', async () => {
    const within = createDeadlines(60);
    const begin = performance.now();
    const ended: [string, number][] = [];
    const note = (name: string, wait: Promise<string>) =>
      endOf(wait).then((end) => ended.push([`${name}: ${end}`, performance.now() - begin]));
    const first = note('first', within(never()));
    await sleep(30);
    const others = [note('answered', within(sleep(5, 'here'))), note('second', within(never()))];
    await Promise.all([first, ...others]);
    expect(ended.map(([end]) => end)).toEqual([
      'answered: here',
      'first: no answer within 60 ms',
      'second: no answer within 60 ms',
    ]);
    const [firstMs, secondMs] = [ended[1]?.[1] ?? 0, ended[2]?.[1] ?? 0];
    expect(firstMs).toBeGreaterThanOrEqual(59);
    expect(secondMs - firstMs).toBeGreaterThan(15);
  });

  test('an answer that has come while the thread was busy counts', async () => {
    const within = createDeadlines(20);
    const { port1, port2 } = new MessageChannel();
    const answer = new Promise<string>((resolve) => port1.once('message', resolve));
    const wait = endOf(within(answer));
    port2.postMessage('came in time');
    const until = performance.now() + 80;
    while (performance.now() < until);
    expect(await wait).toBe('came in time');
    port1.close();
  });
});
