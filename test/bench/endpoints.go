package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

const (
	mePath       = "/api/v1/app/users/me"
	projectsPath = "/api/v1/app/projects"
)

// endpoint is one hot endpoint.
type endpoint struct {
	name   string
	status int     // of its answers
	aim    float64 // the share of the floor's throughput that the product should reach; 0 for none
	fresh  bool    // every answer is a new object, with an id and times of its own

	// request returns one of the requests that are spread over the people; turn counts from 0 for each of them.
	request func(who person, turn int) []byte
}

// endpoints are in the order in which they are measured: creating comes last, so that the others find the same rows.
var endpoints = []endpoint{
	{name: "me", status: 200, request: func(who person, _ int) []byte {
		return request("GET", mePath, who.token, "")
	}},
	{name: "get", status: 200, aim: 0.7, request: func(who person, turn int) []byte {
		return request("GET", projectsPath+"/"+who.projects[turn%len(who.projects)], who.token, "")
	}},
	{name: "list", status: 200, aim: 0.6, request: func(who person, _ int) []byte {
		return request("GET", projectsPath, who.token, "")
	}},
	{name: "create", status: 201, aim: 0.7, fresh: true, request: func(who person, turn int) []byte {
		return request("POST", projectsPath, who.token, fmt.Sprintf(`{"name": "Bench project %d", "description": "Made while the bench ran"}`, turn))
	}},
}

func endpointNames(of []endpoint) string {
	names := make([]string, len(of))
	for i, e := range of {
		names[i] = e.name
	}
	return strings.Join(names, ",")
}

// person is somebody who asks.
type person struct {
	token    string
	projects []string // ids of their projects
}

// turns is how many different requests each person has for an endpoint.
const turns = 20

// requests returns all requests for an endpoint. Neighbours are of different people.
func (e endpoint) requests(people []person) [][]byte {
	all := make([][]byte, 0, turns*len(people))
	for turn := range turns {
		for _, who := range people {
			all = append(all, e.request(who, turn))
		}
	}
	return all
}

// request returns the bytes of a request.
func request(method, path, token, body string) []byte {
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: bench\r\nAccept: application/json\r\nAuthorization: Bearer %s\r\n", method, path, token)
	if body != "" {
		head += fmt.Sprintf("Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	return []byte(head + "\r\n" + body)
}

// meet returns the people behind the tokens, with the ids of their projects as the server at the address lists them.
func meet(ctx context.Context, address string, tokens []string) ([]person, error) {
	c, err := dial(ctx, address)
	if err != nil {
		return nil, err
	}
	defer c.close()
	people := make([]person, len(tokens))
	for i, token := range tokens {
		if err := c.expect(request("GET", projectsPath+"?limit=100", token, ""), 200); err != nil {
			return nil, err
		}
		var list struct {
			Items []struct{ ID string }
		}
		if err := json.Unmarshal(c.body, &list); err != nil {
			return nil, err
		}
		people[i].token = token
		for _, item := range list.Items {
			people[i].projects = append(people[i].projects, item.ID)
		}
		if len(people[i].projects) == 0 {
			return nil, fmt.Errorf("user %d has no projects", i+1)
		}
	}
	return people, nil
}
