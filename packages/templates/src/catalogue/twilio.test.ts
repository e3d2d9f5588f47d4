import { expect, it } from 'vitest';
import { templateFaults } from '../testing/template-faults.ts';
import { twilio } from './twilio.ts';

it('tells the requests of the documentation apart', () => {
  const faults = templateFaults({
    template: twilio,
    domains: ['twilio.com'],
    lines: [
      ['GET', '/2010-04-01/Accounts.json', 'accounts.read'],
      ['GET', '/2010-04-01/Accounts/AC1.json', 'accounts.read'],
      ['GET', '/2010-04-01/Accounts/AC1/Balance.json', 'usage.read'],
      ['GET', '/2010-04-01/Accounts/AC1/Usage/Records/Today.json', 'usage.read'],
      ['GET', '/2010-04-01/Accounts/AC1/Messages.json?PageSize=20', 'messages.read'],
      ['GET', '/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1.json', 'messages.read'],
      ['POST', '/2010-04-01/Accounts/AC1/Messages.json', 'messages.send'],
      ['POST', '/2010-04-01/Accounts/AC1/Messages', 'messages.send'],
      ['POST', '/2010-04-01/Accounts/AC1/Messages/MM1.json', 'messages.update'],
      ['DELETE', '/2010-04-01/Accounts/AC1/Messages/MM1.json', 'messages.delete'],
      ['GET', '/2010-04-01/Accounts/AC1/Calls/CA1.json', 'calls.read'],
      ['POST', '/2010-04-01/Accounts/AC1/Calls.json', 'calls.create'],
      ['POST', '/2010-04-01/Accounts/AC1/Calls/CA1.json', 'calls.update'],
      ['DELETE', '/2010-04-01/Accounts/AC1/Calls/CA1.json', 'calls.delete'],
      ['GET', '/2010-04-01/Accounts/AC1/Recordings/RE1.mp3', 'recordings.read'],
      ['DELETE', '/2010-04-01/Accounts/AC1/Recordings/RE1.json', 'recordings.delete'],
      ['GET', '/2010-04-01/Accounts/AC1/AvailablePhoneNumbers/US/Local.json?AreaCode=510', 'numbers.search'],
      ['GET', '/2010-04-01/Accounts/AC1/IncomingPhoneNumbers.json', 'numbers.read'],
      ['POST', '/2010-04-01/Accounts/AC1/IncomingPhoneNumbers.json', 'numbers.buy'],
      ['POST', '/2010-04-01/Accounts/AC1/IncomingPhoneNumbers/TollFree.json', 'numbers.buy'],
      ['POST', '/2010-04-01/Accounts/AC1/IncomingPhoneNumbers/PN1.json', 'numbers.update'],
      ['DELETE', '/2010-04-01/Accounts/AC1/IncomingPhoneNumbers/PN1.json', 'numbers.release'],
      ['POST', '/2010-04-01/Accounts/AC1/Applications.json', 'applications.write'],
      ['POST', '/2010-04-01/Accounts/AC1/Keys.json', 'keys.write'],
      ['DELETE', '/2010-04-01/Accounts/AC1/SigningKeys/SK1.json', 'keys.write'],
      ['POST', '/2010-04-01/Accounts/AC1/Tokens.json', 'keys.write'],
      ['POST', '/2010-04-01/Accounts.json', 'accounts.write'],
      ['POST', '/2010-04-01/Accounts/AC1.json', 'accounts.write'],
      ['POST', '/2010-04-01/Accounts/AC1/Messages.csv', 'other.write'],
      ['POST', '/2010-04-01/Accounts/AC1/OutgoingCallerIds.json', 'other.write'],
      ['GET', '/2010-04-01/Accounts/AC1/Keys.json', null],
    ],
  });
  expect(faults).toEqual([]);
});
