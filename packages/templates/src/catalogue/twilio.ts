import type { TemplateInput } from '@postern/schemas';
import { READ, WRITE } from './methods.ts';

const CHANGE = ['POST', 'DELETE'];
const ACCOUNTS = '/2010-04-01/Accounts';
const ACCOUNT = `${ACCOUNTS}/{account}`;

/** Lists answer as JSON with `.json` at the end and as XML without; the call is the same. */
function lists(...names: string[]): string[] {
  return names.flatMap((name) => [`${ACCOUNT}/${name}.json`, `${ACCOUNT}/${name}`]);
}

export const twilio: TemplateInput = {
  name: 'twilio',
  version: 1,
  provider: 'twilio',
  title: 'Twilio REST API 2010-04-01',
  description:
    'Messages, calls and numbers of api.twilio.com; Verify, Lookup, Messaging services and others have hosts of their own. To whom, ' +
    'from which number and with which text stands in the body, a form: rule on request.body.To. Subaccounts, SIP, queues and ' +
    'conferences are other.write. Twilio documents 429, and no field that says when to come back.',
  sources: [
    'https://www.twilio.com/docs/usage/api',
    'https://www.twilio.com/docs/usage/twilios-response',
    'https://www.twilio.com/docs/api/errors/20429',
    'https://www.twilio.com/docs/messaging/api/message-resource',
    'https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource',
    'https://www.twilio.com/docs/iam/api/account',
    'https://www.twilio.com/docs/iam/api-keys/key-resource-v2010',
  ],
  baseUrl: 'https://api.twilio.com',
  hosts: ['api.twilio.com'],
  credential: {
    type: 'basic',
    hint: 'username: the SID of an API key (SK…); the secret: its secret. Not the auth token of the account',
  },
  actions: [
    // The answer holds the auth token.
    {
      name: 'accounts.read',
      methods: READ,
      paths: [`${ACCOUNTS}.json`, ACCOUNTS, `${ACCOUNTS}/`, ACCOUNT, `${ACCOUNT}/`, `${ACCOUNTS}.json/`],
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'usage.read',
      methods: READ,
      paths: [...lists('Balance'), ...lists('Usage/Records'), `${ACCOUNT}/Usage/Records/{period}`],
      risk: 'low',
    },
    { name: 'messages.read', methods: READ, paths: [...lists('Messages'), `${ACCOUNT}/Messages/**`], risk: 'medium' },
    { name: 'messages.send', methods: ['POST'], paths: lists('Messages'), risk: 'high' },
    // Redacts the text, or cancels what is scheduled.
    { name: 'messages.update', methods: ['POST'], paths: [`${ACCOUNT}/Messages/{message}`], risk: 'high' },
    {
      name: 'messages.delete',
      methods: ['DELETE'],
      paths: [`${ACCOUNT}/Messages/**`],
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'calls.read',
      methods: READ,
      paths: [...lists('Calls'), `${ACCOUNT}/Calls/{call}`, `${ACCOUNT}/Calls/{call}/Events.json`],
      risk: 'medium',
    },
    { name: 'calls.create', methods: ['POST'], paths: lists('Calls'), risk: 'high' },
    { name: 'calls.update', methods: ['POST'], paths: [`${ACCOUNT}/Calls/{call}`], risk: 'high' },
    { name: 'calls.delete', methods: ['DELETE'], paths: [`${ACCOUNT}/Calls/**`], risk: 'high', approval: 'required' },
    {
      name: 'recordings.read',
      methods: READ,
      paths: [
        ...lists('Recordings'),
        `${ACCOUNT}/Recordings/**`,
        `${ACCOUNT}/Calls/{call}/Recordings/**`,
        `${ACCOUNT}/Calls/{call}/Recordings.json`,
      ],
      risk: 'high',
    },
    {
      name: 'recordings.delete',
      methods: ['DELETE'],
      paths: [`${ACCOUNT}/Recordings/**`],
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'numbers.search',
      methods: READ,
      paths: [...lists('AvailablePhoneNumbers'), `${ACCOUNT}/AvailablePhoneNumbers/**`],
      risk: 'low',
    },
    {
      name: 'numbers.read',
      methods: READ,
      paths: [...lists('IncomingPhoneNumbers'), `${ACCOUNT}/IncomingPhoneNumbers/**`],
      risk: 'low',
    },
    {
      name: 'numbers.buy',
      methods: ['POST'],
      paths: lists(
        'IncomingPhoneNumbers',
        'IncomingPhoneNumbers/Local',
        'IncomingPhoneNumbers/Mobile',
        'IncomingPhoneNumbers/TollFree',
      ),
      risk: 'high',
      approval: 'required',
    },
    // Says, among other things, which server is told of calls and messages.
    {
      name: 'numbers.update',
      methods: ['POST'],
      paths: [`${ACCOUNT}/IncomingPhoneNumbers/{number}`],
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'numbers.release',
      methods: ['DELETE'],
      paths: [`${ACCOUNT}/IncomingPhoneNumbers/**`],
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'applications.write',
      methods: CHANGE,
      paths: [...lists('Applications'), `${ACCOUNT}/Applications/**`],
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'keys.write',
      methods: CHANGE,
      paths: [...lists('Keys', 'SigningKeys', 'Tokens'), `${ACCOUNT}/Keys/**`, `${ACCOUNT}/SigningKeys/**`],
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'accounts.write',
      methods: CHANGE,
      paths: [`${ACCOUNTS}.json`, ACCOUNTS, ACCOUNT],
      risk: 'high',
      approval: 'required',
    },
    { name: 'other.write', methods: WRITE, paths: ['/**'], risk: 'high', approval: 'required' },
  ],
  limitSignals: [{ statuses: [429], wait: { header: 'retry-after', as: 'retry-after' } }],
};
