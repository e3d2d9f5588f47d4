import { expect, it } from 'vitest';
import { templateFaults } from '../testing/template-faults.ts';
import { slack } from './slack.ts';

it('tells the requests of the documentation apart', () => {
  const faults = templateFaults({
    template: slack,
    domains: ['slack.dev'],
    lines: [
      ['POST', '/api/auth.test', 'workspace.read'],
      ['GET', '/api/users.info?user=W1234567890', 'users.read'],
      ['GET', '/api/conversations.list?limit=20', 'conversations.read'],
      ['GET', '/api/conversations.history?channel=C123ABC456', 'messages.read'],
      ['GET', '/api/search.messages?query=pickleface', 'search.read'],
      ['GET', '/api/files.list', 'files.read'],
      ['POST', '/api/chat.postMessage', 'messages.post'],
      ['GET', '/api/chat.postMessage?channel=C123ABC456&text=hello', 'messages.post'],
      ['POST', '/api/chat.scheduleMessage', 'messages.schedule'],
      ['POST', '/api/chat.update', 'messages.update'],
      ['POST', '/api/chat.delete', 'messages.delete'],
      ['GET', '/api/chat.delete?channel=C123ABC456&ts=1405894322.002768', 'messages.delete'],
      ['POST', '/api/reactions.add', 'reactions.write'],
      ['POST', '/api/pins.add', 'pins.write'],
      ['GET', '/api/files.getUploadURLExternal?filename=laughingoutloudcat.jpg&length=53072', 'files.upload'],
      ['POST', '/api/files.completeUploadExternal', 'files.upload'],
      ['POST', '/api/files.delete', 'files.delete'],
      ['POST', '/api/files.sharedPublicURL', 'files.publish'],
      ['POST', '/api/conversations.create', 'conversations.write'],
      ['POST', '/api/conversations.open', 'conversations.write'],
      ['POST', '/api/conversations.invite', 'conversations.members'],
      ['POST', '/api/conversations.archive', 'conversations.archive'],
      ['POST', '/api/conversations.inviteShared', 'connect.write'],
      ['POST', '/api/usergroups.users.update', 'usergroups.write'],
      ['POST', '/api/users.profile.set', 'users.write'],
      ['POST', '/api/views.open', 'views.write'],
      ['POST', '/api/canvases.create', 'canvases.write'],
      ['POST', '/api/canvases.access.set', 'canvases.share'],
      ['GET', '/api/auth.revoke', 'credentials.write'],
      ['POST', '/api/apps.connections.open', 'credentials.write'],
      ['POST', '/api/admin.users.remove', 'other.call'],
      ['GET', '/api/admin.users.list', 'other.call'],
    ],
  });
  expect(faults).toEqual([]);
});
