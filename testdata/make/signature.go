package main

func signatures() {}
