import { randomBytes } from 'node:crypto';
import { describe, inject } from 'vitest';
import { describeEventRelayPort } from '../conformance/volatile/event-relay.ts';
import { connectRedis } from './connect-redis.ts';
import { createRedisEventRelay } from './event-relay.ts';

describe('Redis', () => {
  describeEventRelayPort(async () => {
    const options = { url: inject('redisUrl'), prefix: `t_${randomBytes(6).toString('hex')}` };
    const [one, other] = await Promise.all([connectRedis(options), connectRedis(options)]);
    return {
      relay: createRedisEventRelay(one),
      other: createRedisEventRelay(other),
      close: async () => {
        await Promise.all([one.close(), other.close()]);
      },
    };
  });
});
